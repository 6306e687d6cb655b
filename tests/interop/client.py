"""Zoho's own Python SDK at work; runs in a virtual environment of its own, prints JSON.

Called with the credentials of a served emulator as JSON and an empty folder. The SDK swallows its
own exceptions (a failed call returns ``None``), so everything here asserts on response objects.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from pathlib import Path

from zohocrmsdk.src.com.zoho.api.authenticator import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store import FileStore
from zohocrmsdk.src.com.zoho.api.logger import Logger
from zohocrmsdk.src.com.zoho.crm.api import HeaderMap, Initializer, ParameterMap
from zohocrmsdk.src.com.zoho.crm.api.contact_roles import ContactRolesOperations
from zohocrmsdk.src.com.zoho.crm.api.coql import CoqlOperations
from zohocrmsdk.src.com.zoho.crm.api.coql.body_wrapper import BodyWrapper as CoqlBody
from zohocrmsdk.src.com.zoho.crm.api.dc.data_center import DataCenter
from zohocrmsdk.src.com.zoho.crm.api.deal_contact_roles import (
    BodyWrapper as RoleBody,
)
from zohocrmsdk.src.com.zoho.crm.api.deal_contact_roles import (
    ContactRole,
    Data,
    DealContactRolesOperations,
)
from zohocrmsdk.src.com.zoho.crm.api.deal_contact_roles.deal_contact_roles_operations import (
    GetAssociatedContactRolesParam,
)
from zohocrmsdk.src.com.zoho.crm.api.fields import FieldsOperations
from zohocrmsdk.src.com.zoho.crm.api.fields.fields_operations import GetFieldsParam
from zohocrmsdk.src.com.zoho.crm.api.modules import ModulesOperations
from zohocrmsdk.src.com.zoho.crm.api.org import OrgOperations
from zohocrmsdk.src.com.zoho.crm.api.record import BodyWrapper, Record, RecordOperations
from zohocrmsdk.src.com.zoho.crm.api.record.record_operations import (
    DeleteRecordsParam,
    GetDeletedRecordsParam,
    GetRecordsParam,
    RecordCountParam,
    SearchRecordsParam,
)
from zohocrmsdk.src.com.zoho.crm.api.related_lists import RelatedListsOperations
from zohocrmsdk.src.com.zoho.crm.api.related_lists.related_lists_operations import (
    GetRelatedListsParam,
)
from zohocrmsdk.src.com.zoho.crm.api.related_records import BodyWrapper as RelatedBody
from zohocrmsdk.src.com.zoho.crm.api.related_records import RelatedRecordsOperations
from zohocrmsdk.src.com.zoho.crm.api.related_records.related_records_operations import (
    DelinkRecordsParam,
    GetRelatedRecordsParam,
)
from zohocrmsdk.src.com.zoho.crm.api.sdk_config import SDKConfig
from zohocrmsdk.src.com.zoho.crm.api.users import UsersOperations


def initialize(facts, folder, *, auto_refresh_fields):
    """Log in with the refresh token."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = DataCenter.Environment(
        facts["api_domain"], f"{facts['accounts_url']}/oauth/v2/token", facts["upload_url"]
    )
    token = OAuthToken(
        client_id=facts["client_id"],
        client_secret=facts["client_secret"],
        refresh_token=facts["refresh_token"],
    )
    Initializer.initialize(
        environment,
        token,
        store=FileStore(str(folder / "tokens.txt")),
        sdk_config=SDKConfig(auto_refresh_fields=auto_refresh_fields, pick_list_validation=False),
        resource_path=str(folder),
        logger=Logger.get_instance(Logger.Levels.INFO, str(folder / "sdk.log")),
    )


def params(*pairs):
    """Parameters of a call."""
    made = ParameterMap()
    for param, value in pairs:
        made.add(param, value)
    return made


def page_through(module, fields):
    """Follow page tokens to the end."""
    ids, pages, token = [], 0, None
    while True:
        asked = [(GetRecordsParam.fields, fields)]
        if token:
            asked.append((GetRecordsParam.page_token, token))
        answer = RecordOperations(module).get_records(params(*asked), HeaderMap())
        page = answer.get_object()
        ids += [record.get_id() for record in page.get_data()]
        pages, info = pages + 1, page.get_info()
        token = info.get_next_page_token()
        if not info.get_more_records():
            return {"records": len(ids), "distinct": len(set(ids)), "pages": pages}


def write(operations, call, **values):
    """One record through one call; code, message and id of the result."""
    record = Record()
    for name, value in values.items():
        record.add_key_value(name, value)
    body = BodyWrapper()
    body.set_data([record])
    answer = getattr(operations, call)(body, HeaderMap())
    (result,) = answer.get_object().get_data()
    return {
        "status": answer.get_status_code(),
        "code": result.get_code().get_value(),
        "id": str(result.get_details().get("id")),
        "details": sorted(result.get_details()),
    }


def life_of_a_lead():
    """Create, read, update and delete."""
    leads = RecordOperations("Leads")
    made = write(leads, "create_records", Last_Name="Osei", Company="Northwind")
    changed = write(leads, "update_records", id=int(made["id"]), City="Accra")
    read = leads.get_record(int(made["id"]), params(), HeaderMap()).get_object().get_data()[0]
    shown = {name: read.get_key_value(name) for name in ("Last_Name", "Company", "City")}
    gone = leads.delete_records(params((DeleteRecordsParam.ids, made["id"])), HeaderMap())
    after = leads.get_record(int(made["id"]), params(), HeaderMap())
    return {
        "made": made,
        "changed": changed,
        "read": shown,
        "deleted": gone.get_object().get_data()[0].get_code().get_value(),
        "after": after.get_status_code(),
    }


def query(text):
    """Query with COQL."""
    body = CoqlBody()
    body.set_select_query(text)
    answer = CoqlOperations().get_records(body)
    page = answer.get_object()
    rows = [record.get_key_values() for record in page.get_data()]
    return {"rows": len(rows), "keys": sorted(rows[0]), "more": page.get_info().get_more_records()}


def refusal():
    """Tell what the SDK makes of a refusal."""
    answer = RecordOperations("Leads").get_records(
        params((GetRecordsParam.fields, "id"), (GetRecordsParam.page, 11)), HeaderMap()
    )
    error = answer.get_object()
    return {"status": answer.get_status_code(), "code": error.get_code().get_value()}


def search():
    """Search by criteria."""
    asked = params((SearchRecordsParam.criteria, "(City:equals:Pune)"))
    answer = RecordOperations("Leads").search_records(asked, HeaderMap())
    return len(answer.get_object().get_data())


def count():
    """Count by criteria."""
    asked = params((RecordCountParam.criteria, "(City:equals:Pune)"))
    return RecordOperations("Leads").record_count(asked).get_object().get_count()


def deleted():
    """Tell what was deleted."""
    asked = params((GetDeletedRecordsParam.type, "all"))
    answer = RecordOperations("Leads").get_deleted_records(asked, HeaderMap())
    return [each.get_display_name() for each in answer.get_object().get_data()]


def one_with_subform():
    """Read a single record with rows and links."""
    visits = RecordOperations("Site_Visits")
    asked = params((GetRecordsParam.fields, "Name,Total_Expenses"))
    found = visits.get_records(asked, HeaderMap()).get_object().get_data()
    first = next(each for each in found if each.get_key_value("Total_Expenses"))
    one = visits.get_record(first.get_id(), params(), HeaderMap()).get_object().get_data()[0]
    return {
        "rows": len(one.get_key_value("Expenses")),
        "has_more": "$has_more" in one.get_key_values(),
    }


def metadata():
    """Modules, fields, users and org."""
    modules = ModulesOperations().get_modules(ParameterMap(), HeaderMap()).get_object()
    fields = FieldsOperations().get_fields(params((GetFieldsParam.module, "Deals"))).get_object()
    people = UsersOperations().get_users(ParameterMap(), HeaderMap()).get_object()
    return {
        "modules": len(modules.get_modules()),
        "fields": len(fields.get_fields()),
        "users": len(people.get_users()),
        "org": OrgOperations().get_organization().get_object().get_org()[0].get_company_name(),
    }


def first(module):
    """The id of one record."""
    asked = params((GetRecordsParam.fields, "id"), (GetRecordsParam.per_page, 1))
    return (
        RecordOperations(module).get_records(asked, HeaderMap()).get_object().get_data()[0].get_id()
    )


def contact_roles():
    """Give a contact a role in a deal, read it, and take the contact off the deal."""
    roles = ContactRolesOperations().get_roles().get_object().get_contact_roles()
    deal, contact, operations = first("Deals"), first("Contacts"), DealContactRolesOperations()
    role, data, body = ContactRole(), Data(), RoleBody()
    role.set_id(roles[0].get_id())
    role.set_name(roles[0].get_name())
    data.set_contact_role(role)
    body.set_data([data])
    given = operations.associate_contact_role_to_deal(contact, deal, body)
    asked = params((GetAssociatedContactRolesParam.fields, "Last_Name,Email"))
    listed = operations.get_associated_contact_roles(deal, asked).get_object().get_data()
    shown = {each.get_id(): each.get_contact_role().get_name() for each in listed}
    gone = operations.delete_contact_role_relation(contact, deal)
    return {
        "roles": len(roles),
        "given": given.get_object().get_data()[0].get_code().get_value(),
        "as": shown[contact] == roles[0].get_name(),
        "gone": gone.get_object().get_data()[0].get_code().get_value(),
    }


def related():
    """List the lists of a module, link a lead to a campaign, read and unlink it."""
    asked = params((GetRelatedListsParam.module, "Campaigns"))
    lists = RelatedListsOperations().get_related_lists(asked).get_object().get_related_lists()
    campaign, lead, body, member = first("Campaigns"), first("Leads"), RelatedBody(), Record()
    operations = RelatedRecordsOperations("Leads", "Campaigns")
    member.set_id(lead)
    member.add_key_value("Member_Status", "Invited")
    body.set_data([member])
    linked = operations.update_related_records(campaign, body, HeaderMap())
    asked = params(
        (GetRelatedRecordsParam.fields, "Last_Name"), (GetRelatedRecordsParam.ids, str(lead))
    )
    (read,) = operations.get_related_records(campaign, asked, HeaderMap()).get_object().get_data()
    gone = operations.delink_records(
        campaign, params((DelinkRecordsParam.ids, str(lead))), HeaderMap()
    )
    return {
        "lists": sorted(
            each.get_api_name() for each in lists if each.get_api_name() in {"Leads", "Contacts"}
        ),
        "linked": linked.get_object().get_data()[0].get_code().get_value(),
        "status": read.get_key_value("Member_Status"),
        "gone": gone.get_object().get_data()[0].get_code().get_value(),
    }


CHECKS = {
    "leads": lambda: page_through("Leads", "Last_Name,Company,Email,Owner,Created_Time"),
    "life": life_of_a_lead,
    "coql": lambda: query(
        "select Last_Name, Owner, Created_Time from Leads where id is not null limit 2000"
    ),
    "refusal": refusal,
    "search": search,
    "count": count,
    "deleted": deleted,
    "subform": one_with_subform,
    "metadata": metadata,
    "contact_roles": contact_roles,
    "related": related,
}


def attempt(check):
    """Run one check; what went wrong is told in its place."""
    try:
        return check()
    except Exception:
        return {"failed": traceback.format_exc()}


def main():
    """Run all checks, then page again with fields refreshed by the SDK itself."""
    facts, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
    logging.getLogger("SDKLogger").addHandler(logging.StreamHandler(sys.stderr))
    initialize(facts, folder / "lazy", auto_refresh_fields=False)
    said = {name: attempt(check) for name, check in CHECKS.items()}
    initialize(facts, folder / "eager", auto_refresh_fields=True)
    said["leads_with_fields_refreshed"] = attempt(lambda: page_through("Leads", "Last_Name,Owner"))
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main()
