"""Open facts about Zoho: each a named setting with a default and a reason.

Where Zoho's pages contradict each other, or say nothing, the emulator does not guess in silence. It
takes the default below, and a test of a client can take the other reading::

    Emulator(settings=Settings(unknown_id_status=400))
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


def fact(default: T, why: str) -> T:
    """Declare a field of a dataclass together with the reason it is a setting."""
    declared: Any = field(default=default, metadata={"why": why})
    return declared  # type: ignore[no-any-return]


DUPLICATE_CHECK_FIELDS = tuple(
    {
        "Leads": ("Email",),
        "Contacts": ("Email",),
        "Accounts": ("Account_Name",),
        "Deals": ("Deal_Name",),
        "Campaigns": ("Campaign_Name",),
        "Cases": ("Subject",),
        "Quotes": ("Subject",),
        "Sales_Orders": ("Subject",),
        "Purchase_Orders": ("Subject",),
        "Invoices": ("Subject",),
        "Solutions": ("Solution_Title",),
        "Products": ("Product_Name",),
        "Vendors": ("Vendor_Name",),
        "Price_Books": ("Price_Book_Name",),
    }.items()
)


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What the engine assumes where Zoho's pages on COQL are silent or contradict themselves.

    Examples
    --------
    >>> from zcrm_nb.emulator.settings import EngineSettings
    >>> EngineSettings(offset_ceiling=10_000).offset_ceiling
    10000
    """

    offset_ceiling: int = fact(
        100_000, "rows that LIMIT and OFFSET reach: V8 says 100,000, some orgs report 10,000"
    )
    most_hops: int = fact(
        5, "lookups one path may follow: pages show two, the limit of 'base' joins is five"
    )
    most_joins: int = fact(
        20, "joins of one query: a page allows 5 'base' and 15 SELECT joins; counted together"
    )
    subquery_rows: int = fact(100, "most rows of a subquery, as the page on subqueries says")
    subquery_cuts: bool = fact(
        False,
        "whether rows beyond that are dropped silently, as an integrator of a live org reports; "
        "no page says, and by default they are refused",
    )
    case_sensitive: bool = fact(
        False, "whether texts that differ in case differ in =, in, like, sorting and grouping"
    )
    unequal_finds_null: bool = fact(False, "whether != and not in find empty values")
    like_underscore: bool = fact(False, "whether _ in a pattern stands for any one character")
    not_like_contains: bool = fact(
        True, "whether not like without % at both ends is refused: it is said not to work"
    )
    count_takes_any_field: bool = fact(
        True, "whether COUNT takes a field of any type: numbers, lookups, picklists are documented"
    )
    multi_line_criteria: bool = fact(
        True,
        "whether a condition may be on multi-line text: the V3 page excludes it, live orgs report "
        "'unsupported column in criteria', newer pages are silent",
    )
    tag_criteria: bool = fact(
        True, "whether Tag = 'name' finds records: integrators use it, no page lists it"
    )
    user_full_name: bool = fact(
        True, "whether COQL reads the full_name of users: pages since V7 say so, V3 refused it"
    )
    other_user_fields: bool = fact(
        True, "whether COQL reads fields of users that its page does not name, such as status"
    )
    converted_leads: bool = fact(True, "whether Leads includes converted ones, as REST does not")
    converted_in_views: bool = fact(
        False, "whether Leads#cvid includes converted ones; a list of the same view does not"
    )


@dataclass(frozen=True, slots=True)
class ActionSettings:
    """What is assumed of actions on records, the recycle bin and custom views.

    Examples
    --------
    >>> from zcrm_nb.emulator.settings import ActionSettings, Settings
    >>> Settings(actions=ActionSettings(convert_refused_status=202)).actions.convert_refused_status
    202
    """

    convert_refused_status: int = fact(
        400, "status of a lead whose conversion is refused in data[]: 400, and 202 in older pages"
    )
    convert_schedules: bool = fact(
        False, "whether a conversion is answered 202 SCHEDULED: no page says when Zoho does that"
    )
    convert_deal_needs: tuple[str, ...] = fact(
        ("Deal_Name", "Stage", "Closing_Date", "Pipeline"),
        "what the Deals of a conversion must hold: Pipeline only where pipelines are enabled",
    )
    convert_deal_path: str = fact(
        "$.data[0]", "json_path before a key of Deals: the one sample leaves the word Deals out"
    )
    convert_foreign_tags: bool = fact(
        True, "whether carry_over_tags may name tags that the lead lacks; they are passed over"
    )
    convert_moves_related: bool = fact(
        True, "whether notes and activities of a lead go to the contact and deal made from it"
    )
    convert_attachments_to: str = fact(
        "", "module that takes attachments when move_attachments_to is not sent: none, they stay"
    )
    change_owner_partly_status: int = fact(
        202, "status when only some records got a new owner: 202 for API calls, 207 for SDK calls"
    )
    change_owner_modules: tuple[str, ...] = fact(
        ("Tasks", "Events", "Calls", "Contacts", "Deals"),
        "related_modules whose records may go along: the newer spec adds Contacts and Deals",
    )
    mass_update_fields: tuple[tuple[str, int], ...] = fact(
        (("Deals", 3),), "fields of one mass update, by module: one wherever none is named"
    )
    mass_limit_code: str = fact(
        "LIMIT_EXCEEDED", "code for more than 500 ids or 50,000 records; no page says"
    )
    merge_schedules: bool = fact(
        False, "whether a merge becomes a job: SCHEDULED is documented, when it happens is not"
    )
    merge_unites_tags: bool = fact(
        True, "whether the master gets the tags of the merged records too; no page says"
    )
    merge_deletes_for_good: bool = fact(
        True, "whether merged records pass over the recycle bin: a merge cannot be undone"
    )
    lock_changed_message: str = fact(
        "relation updated", "message when the reason of a lock changed: a page's, no spec has it"
    )
    share_default_permission: str = fact(
        "read_only", "permission of a share that names none; the page calls it optional only"
    )
    share_visible_code: str = fact(
        "DUPLICATE_DATA", "code of 'record is already visible to the user.'; the spec pairs none"
    )
    share_nothing_code: str = fact(
        "BAD_REQUEST", "code when there is no sharing to revoke; the spec pairs none"
    )
    mass_convert_message: str = fact(
        "Mass Convert scheduled successfully", "message of a mass conversion: that of inventory's"
    )
    mail_sent_message: str = fact(
        "Your mail has been sent successfully.", "message of send_mail; the spec says a text"
    )
    emails_per_page: int = fact(10, "e-mails of a record on one page; no spec gives a figure")
    views_unequal_finds_null: bool = fact(
        False, "whether not_equal, not_in and their like in a view find empty values"
    )
    week_begins: int = fact(6, "first day of ${THISWEEK}: 0 is Monday, 6 Sunday; no page says")
    chore_delay_s: int = fact(
        0, "seconds that a mass action or a large restore stays SCHEDULED; no page gives a figure"
    )
    chore_runs_s: int = fact(0, "seconds that it is RUNNING then, before its records change")
    bin_days: int = fact(60, "days until the recycle bin drops a record, as the help says")
    restore_checks_unique: bool = fact(
        True, "whether a record stays in the bin when another has its unique value by now"
    )
    restore_touches: bool = fact(
        False, "whether restoring a record changes its Modified_Time; no page says"
    )


@dataclass(frozen=True, slots=True)
class RelationSettings:
    """What is assumed of related lists, notes, files, tags, composite requests and timelines.

    Examples
    --------
    >>> from zcrm_nb.emulator.settings import RelationSettings, Settings
    >>> Settings(relations=RelationSettings(link_message="record updated")).relations.link_message
    'record updated'
    """

    unknown_parent_status: int = fact(
        400, "status when the record of the list does not exist: examples show 400 and 404"
    )
    link_message: str = fact(
        "relation added",
        "words for a link that was made; older pages say so, newer ones 'record updated'",
    )
    contact_role_required: bool = fact(
        True, "whether a contact is linked to a deal only with a role, as the specification says"
    )
    attachment_mb: int = fact(100, "MB that an attachment may have: 100 in V8, older pages say 20")
    refused_attachments: tuple[str, ...] = fact(
        (".exe",), "endings of attachments that are refused; no page shows the answer"
    )
    tags_per_module: int = fact(
        200, "most tags of one module: allowed_count depends on the edition, no page has figures"
    )
    tags_per_record: int = fact(10, "most tags of one record, as older pages say")
    records_tagged_per_call: int = fact(500, "most ids of add_tags and remove_tags: secondary")
    wf_scheduler: bool | str = fact(
        True, "value beside tagged records: a boolean in the specification, 'success' in samples"
    )
    composite_cuts_lists: bool = fact(
        True,
        "whether lists inside a composite request end at 25 records: a page allows 25, "
        "none says whether more are cut or refused",
    )
    search_trackers: bool = fact(
        False, "whether search reads field trackers such as DealHistory: NO_PERMISSION, in one org"
    )
    timeline_names: bool = fact(
        True, "whether a timeline shows lookups by name: the schema says text, no sample shows one"
    )
    no_attachments_status: int = fact(
        204, "status for a record without attachments: 204, or 200 with an empty list"
    )
    photo_mb: int = fact(10, "MB that a photo may have, from the sample of an error")


@dataclass(frozen=True, slots=True)
class BulkSettings:
    """What the bulk APIs assume where Zoho's pages are silent or contradict themselves.

    Examples
    --------
    >>> from zcrm_nb.emulator.settings import BulkSettings
    >>> BulkSettings(csv_rows=1_000).csv_rows
    1000
    """

    added_s: int = fact(0, "seconds that a job stays ADDED; real ones take seconds to minutes")
    queued_s: int = fact(1, "seconds that a job stays QUEUED, a state that an older page lacks")
    runs_s: int = fact(1, "seconds that a job is IN PROGRESS")
    csv_rows: int = fact(200_000, "records of one CSV file; tests of parts take fewer")
    ics_rows: int = fact(20_000, "events of one ICS file")
    pages: int = fact(500, "highest page number: 500 is documented, the OpenAPI pattern ends at 50")
    criteria: int = fact(25, "leaves of the criteria of one job")
    in_values: int = fact(
        20, "values of in and not_in: digests of the page say 20, an example of the error 200"
    )
    hops: int = fact(2, "lookups that one dotted field may walk along; COQL's two are taken")
    joins: int = fact(15, "lookups that dotted fields may walk along; the error gives no number")
    shared_views: bool = fact(
        False, "whether views that are shared with some can be exported; a post of Zoho's says not"
    )
    converted_leads: bool = fact(True, "whether Leads includes converted ones, as in COQL")
    file_life_s: int = fact(86_400, "life of a result after its job: one day")
    token_life_s: int = fact(86_400, "life of a page token: one day")
    downloads_a_minute: int = fact(10, "downloads in a minute; then all fail until it is over")
    early_download: str = fact("RESOURCE_NOT_FOUND", "code of a download before the job is done")
    missing_job_status: int = fact(404, "HTTP status of an unknown job: 404, or 400 in one spec")
    wrapped_refusals: bool = fact(False, "whether refusals of a job come inside data[]")
    content_type: str = fact(
        "application/zip", "Content-Type of a download; an older spec says application/x-download"
    )
    starred_file_name: bool = fact(False, "whether Content-Disposition has filename*=UTF-8''")
    ranges: bool = fact(False, "whether a download can be resumed by Range; no page says")
    modules_not_exported: tuple[str, ...] = fact(
        ("Notes", "Attachments", "Emails"),
        "modules answered with MODULE_NOT_SUPPORTED; a log of 2026 shows an export of Notes",
    )
    types_not_exported: tuple[str, ...] = fact(
        (
            *("subform", "multiselectlookup", "multiuserlookup", "fileupload", "imageupload"),
            *("profileimage", "consent_lookup", "layout", "jsonarray", "linetax", "time_range"),
            *("RRULE", "ALARM", "multireminder"),
        ),
        "types answered with FIELD_NOT_SUPPORTED: subforms and multi-select lookups as Zoho's page "
        "says, the others since no page shows a file, a list or an object in a cell",
    )
    id_column: str = fact("Id", "name of the id's column, which is always included")
    id_first: bool = fact(True, "whether the id's column is the first or the last")
    utc: bool = fact(False, "whether datetimes are in UTC, or in the zone of the org")
    booleans: tuple[str, str] = fact(("true", "false"), "how true and false are written")
    multi_select_joint: str = fact(";", "what joins the values of a multi-select picklist")
    newline: str = fact("\n", "what ends a line")
    encoding: str = fact("utf-8", "encoding of the CSV file; utf-8-sig has a byte-order mark")
    quotes_all_text: bool = fact(False, "whether texts are quoted though they need not be")
    # bulk write
    upload_bytes: int = fact(25 << 20, "size of an uploaded ZIP: 25 MB; tests take less")
    upload_gateway: bool = fact(
        True,
        "whether uploads without their headers are refused by the gateway, in its own shape, or "
        "with the codes of the specification: MANDATORY_NOT_FOUND and its like",
    )
    upload_on_api_host: bool = fact(
        False, "whether uploads are taken at the API host as well; one specification has it there"
    )
    write_rows: int = fact(25_000, "rows of one CSV file; tests take fewer")
    write_columns: int = fact(200, "columns of one CSV file, and field_mappings of one job")
    modules_not_written: tuple[str, ...] = fact(
        ("Attachments", "Notes", "Events", "Calls"),
        "modules that cannot be written; older pages add Users, Tasks and linking modules",
    )
    types_not_written: tuple[str, ...] = fact(
        (
            *("subform", "multiselectlookup", "multiuserlookup", "fileupload", "imageupload"),
            *("profileimage", "consent_lookup", "autonumber", "linetax", "time_range", "RRULE"),
            *("ALARM", "multireminder"),
        ),
        "types refused in mappings: files, images and auto-numbers by digests of the page, the "
        "others since no page shows how a cell would hold them",
    )
    unknown_columns_refused: bool = fact(
        True, "whether a column that maps itself must name a field; otherwise it is left out"
    )
    in_progress: str = fact("INPROGRESS", "state of a running write: with a blank in some pages")
    skipped: tuple[str, str] = fact(
        ("SKIPPED", "UNPROCESSED"), "STATUS of rows that were refused, or not reached; case is open"
    )
    result_in_order: bool = fact(
        True, "whether the rows of a result stand as in the file, or those that failed come last"
    )
    result_headers: str = fact(
        "file", "columns of a result are named as in the 'file', or by their 'field'"
    )
    result_life_s: int = fact(7 * 86_400, "life of the result of a write: seven days")
    absolute_result_urls: bool = fact(
        True,
        "whether download_url is an address of a separate host, as the official SDK shows it, or "
        "a path, as the page does",
    )
    missing_write_status: int = fact(404, "HTTP status of an unknown job that writes: 404 or 400")
    notify_bulk_writes: bool = fact(
        False, "whether changes by bulk writes notify the channels; no page says"
    )


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """What the channels assume where Zoho's pages on notifications are silent.

    Examples
    --------
    >>> from zcrm_nb.emulator.settings import WatchSettings
    >>> WatchSettings(retries=3).retries
    3
    """

    channel_ids_per: str = fact(
        "user and client", "a channel id is unique per 'user and client', 'user' or 'org'"
    )
    repost_replaces: bool = fact(
        True,
        "whether POST of an open channel replaces it: Zoho's advice is to renew that way, yet one "
        "client in production deletes first; otherwise DUPLICATE_DATA",
    )
    past_expiry_lasts_an_hour: bool = fact(
        True, "whether a channel_expiry in the past becomes one hour, as one too far ahead does"
    )
    refusal_status: int = fact(
        400, "HTTP status when every item of watch[] is refused: 400, or 202 in older pages"
    )
    unknown_channel_status: int = fact(
        400, "GET of a channel that is not open: 400 NOT_SUBSCRIBED or 204, both are documented"
    )
    removed_per_module: bool = fact(
        True, "whether dropped channels and events are listed by module, or by channel"
    )
    items_per_call: int = fact(50, "most items of watch[]: a schema says 50, no page proves it")
    events_per_call: int = fact(50, "most events of one item: a schema says 50, no page proves it")
    channels_limit: int | None = fact(None, "most open channels of one caller; no page has a limit")
    condition_needs_field_ids: bool = fact(
        True, "whether a field of a condition needs its id: a page says so, an error says either"
    )
    related_actions: bool = fact(
        True,
        "whether a change notifies of the records it points to as well, unless the channel has "
        "notify_on_related_action false; Zoho gives the account of a contact as the example",
    )
    unchanged: bool = fact(
        True, "whether an update that changes no value notifies, with no affected fields"
    )
    silent_ways: tuple[str, ...] = fact(
        (),
        "ways to change records that are not notified of: some of mass_update, mass_delete, "
        "change_owner, tags and convert; no page excepts one",
    )
    restored: bool = fact(
        True, "whether a record that comes back from the recycle bin is notified of, as an insert"
    )
    delete_word: str = fact("delete", "operation of a deletion's callback: implementers say so")
    resource_version: str = fact(
        "v2", "version in resource_uri: pages and live traffic say v2, a digest of V8 says v8"
    )
    content_type: str = fact("application/json", "Content-Type of a callback")
    timeout_s: float = fact(10.0, "seconds that a callback waits for its answer")
    retries: int = fact(0, "how often a callback without a 2xx answer is sent again")

    def notifies_of(self, way: str) -> bool:
        """Whether changes of a kind are notified of."""
        return way not in self.silent_ways


@dataclass(frozen=True, slots=True)
class Settings:
    """What the emulator assumes where Zoho's documentation is silent or contradicts itself.

    Every attribute carries its reason in the dataclass metadata; ``docs/emulator-coverage.md``
    shows them all.

    Examples
    --------
    >>> from zcrm_nb.emulator.settings import Settings
    >>> Settings(unknown_id_status=400).unknown_id_status
    400
    """

    # the org's settings
    currencies_off_code: str = fact(
        "FEATURE_NOT_ENABLED",
        "refusal of a currency in an org that has only one: the specification lists this code and "
        "CURRENCIES_NOT_ENABLED",
    )
    deal_territories: int | None = fact(
        1,
        "most territories of a deal: the page on assigning territories allows only one, but a "
        "stored copy of it does not say for which modules",
    )
    # accounts
    throttle_status: int = fact(
        400, "HTTP status of the token throttle: 400 was recorded live, an older post says 200"
    )
    grant_code_life_s: int = fact(180, "life of a grant code: 3 min, 2 min and 60 s are documented")
    self_client_code_life_s: int = fact(600, "life of a self-client code: chosen by hand, at most")
    location: str = fact(
        "in",
        "data centre where the org lives; asked at the hosts of another one the emulator says "
        "other_dc, or the client is unknown",
    )
    loopback_redirect_any_port: bool = fact(
        True,
        "whether a redirect to loopback may name another port than the registered one; Zoho wants "
        "the registered address, letter for letter, but lessons run where a port is taken",
    )
    redirected_refusals: tuple[str, ...] = fact(
        (),
        "refusals of an authorize request that go back to the redirect URI besides access_denied, "
        "such as invalid_scope; the others are a page, since nothing else is documented",
    )
    revoking_ends_consent: bool = fact(
        True, "whether the user is asked again after the refresh token was revoked; no page says"
    )
    device_interval_s: int = fact(30, "seconds between two polls of the device flow, at least")
    device_times_in_ms: bool = fact(
        True, "whether the device flow counts expires_in and interval in ms, as implementers say"
    )
    device_feedback_status: int = fact(
        200, "HTTP status of authorization_pending and its like; other token errors have 200"
    )
    device_unknown_code: str = fact(
        "invalid_code", "error for a device code that is unknown, used up or another client's"
    )
    device_unknown_scope: str = fact(
        "invalid_scope", "error of the device flow for a scope that Zoho does not know"
    )
    refresh_tokens_per: str = fact(
        "user", "the 20 refresh tokens count per 'user' or per 'user and client'"
    )
    expires_in_ms: bool = fact(
        False, "legacy token reply: expires_in in milliseconds beside expires_in_sec"
    )
    pkce_needs_secret: bool = fact(
        True, "whether a PKCE client must send its client_secret when it exchanges a code"
    )
    accept_bearer: bool = fact(True, "whether 'Bearer' is accepted beside 'Zoho-oauthtoken'")
    expired_token_code: str = fact(
        "INVALID_TOKEN", "one page names INVALID_OAUTHTOKEN for a token that was pushed out"
    )
    scope_message: str = fact("Unauthorized", "wording of OAUTH_SCOPE_MISMATCH differs by page")
    write_scope_covers: tuple[str, ...] = fact(
        ("CREATE", "UPDATE", "DELETE"), "operations that the operation WRITE of a scope includes"
    )
    # limits
    rate_code: str = fact(
        "TOO_MANY_REQUESTS", "code of HTTP 429; newer pages also show RATE_LIMIT_EXCEEDED"
    )
    rate_message: str = fact(
        "You have exceeded the number of requests allowed. Please try again later.",
        "no page shows the words of HTTP 429",
    )
    # requests
    invalid_method_status: int = fact(
        400, "status of INVALID_REQUEST_METHOD: examples show 400, the generic table 405"
    )
    wrap_write_refusals: bool = fact(
        False, "whether a write that fails as a whole is wrapped in data[]: both are documented"
    )
    refuse_unknown_parameters: bool = fact(
        False, "whether a query parameter that no page documents is refused; no page says"
    )
    ignored_parameters: tuple[str, ...] = fact(
        (),
        "documented parameters that are ignored instead of refused as not emulated: uid, "
        "startDateTime and endDateTime are in the specification of 2025 only, perhaps without "
        "effect",
    )
    # reading records
    unknown_id_status: int = fact(
        204, "GET one record by a well-formed unknown id: 204 and 400 are both documented"
    )
    refuse_unknown_fields: bool = fact(
        False, "whether an unknown name in 'fields' is refused; no page says, so it is left out"
    )
    if_modified_since_http_date: bool = fact(
        True, "whether If-Modified-Since may be an HTTP date beside an ISO datetime"
    )
    token_page_number: bool = fact(
        False, "whether info.page counts on while paging by token; the official sample stays at 1"
    )
    # searching and counting
    search_lag_s: int = fact(0, "seconds until a search finds a new record; Zoho gives no figure")
    search_criteria: int = fact(15, "most criteria in one search: the text says 10, the error 15")
    search_sorts_by_any_field: bool = fact(
        True,
        "whether sort_by of a search takes any field, as the specification says, or the three that "
        "lists take, as an integrator reports",
    )
    count_needs_search: bool = fact(
        False, "whether a count without criteria, email, phone or word is refused"
    )
    equals_contains: bool = fact(
        True, "whether 'equals' on text matches parts, as the search page says"
    )
    # writing records
    upsert_insert_status: int = fact(
        200, "status of an upsert that only inserted: 200 is documented, 201 is plausible"
    )
    upsert_names_field_on_insert: bool = fact(
        False, "whether duplicate_field names a field when nothing matched; the sample does"
    )
    duplicate_check_fields: tuple[tuple[str, tuple[str, ...]], ...] = fact(
        DUPLICATE_CHECK_FIELDS, "system-defined duplicate-check fields, from memory"
    )
    refuse_unknown_keys: bool = fact(
        False, "whether a record with an unknown key is refused; by default the key is left out"
    )
    refuse_unknown_picklist_values: bool = fact(
        False,
        "whether a value outside the picklist is refused with its supported_values: the guide's "
        "own first POST sends one, the specification has an error for it",
    )
    refuse_excess_digits: bool = fact(
        False,
        "whether a decimal number with more digits, before or behind the point, than its field has "
        "is refused or kept; for texts and whole numbers the length is documented",
    )
    subform_rows_replace: bool = fact(
        True, "whether subform rows without ids replace the old rows on update, or add to them"
    )
    # the query engine
    engine: EngineSettings = fact(EngineSettings(), "what is open about COQL")  # noqa: RUF009 - frozen
    # bulk jobs
    bulk: BulkSettings = fact(BulkSettings(), "what is open about bulk jobs")  # noqa: RUF009 - frozen
    # actions on records, the recycle bin, custom views
    actions: ActionSettings = fact(ActionSettings(), "what is open about actions")  # noqa: RUF009 - frozen
    # what belongs to a record
    relations: RelationSettings = fact(RelationSettings(), "what is open about relations")  # noqa: RUF009 - frozen
    # notifications
    watch: WatchSettings = fact(WatchSettings(), "what is open about notifications")  # noqa: RUF009 - frozen
