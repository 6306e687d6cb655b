"""Pipelines of deals: the stages of each, kept in step with the fields Pipeline and Stage."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zcrm_nb.emulator.catalog.describe import choices_json
from zcrm_nb.emulator.configuring import bodies
from zcrm_nb.emulator.configuring.bodies import Item
from zcrm_nb.emulator.serving.errors import Refusal
from zcrm_nb.emulator.serving.http import NOTHING, Answer, Request, json_answer
from zcrm_nb.emulator.serving.route import V8, Route
from zcrm_nb.emulator.storage import customizing, documents
from zcrm_nb.emulator.storage.codec import layout_id
from zcrm_nb.emulator.storage.schema import Choice, Dependence

if TYPE_CHECKING:
    from zcrm_nb.emulator.org import Org

KIND = "pipeline"
TRANSFER = "transfer_pipeline"
NAME_LENGTH = 120


def get_pipelines(org: Org, request: Request) -> Answer:
    """``GET /settings/pipeline?layout_id=``: the pipelines of the layout of deals."""
    _check_layout(org, request)
    return json_answer({KIND: [_shown(org, each) for each in documents.listed(org.store, KIND)]})


def get_pipeline(org: Org, request: Request, pipeline: str) -> Answer:
    """``GET /settings/pipeline/{id}?layout_id=``: one pipeline."""
    _check_layout(org, request)
    found = documents.find(org.store, KIND, pipeline)
    return json_answer({KIND: [_shown(org, found)]}) if found else NOTHING


def post_pipelines(org: Org, request: Request) -> Answer:
    """``POST /settings/pipeline?layout_id=``: make pipelines."""
    _check_layout(org, request)

    def create(item: Item, path: str) -> Item:
        bodies.required(item, ("display_value", "maps"), path)
        change = _checked(org, item, path, None)
        change = {"default": False, **change, "actual_value": change["display_value"]}
        pipeline = documents.add(org.store, KIND, change)
        _settle(org, pipeline if change["default"] else None)
        return bodies.done("pipeline created", pipeline)

    return bodies.each_of(org, KIND, bodies.entries(request, KIND), create, 201)


def put_pipelines(org: Org, request: Request) -> Answer:
    """``PUT /settings/pipeline?layout_id=``: change pipelines by their ids."""
    _check_layout(org, request)

    def change(item: Item, path: str) -> Item:
        bodies.required(item, ("id",), path)
        found = documents.find(org.store, KIND, item["id"])
        if found is None:
            raise bodies.invalid("id", f"{path}.id", "the id given seems to be invalid")
        return _changed(org, item, path, found)

    return bodies.each_of(org, KIND, bodies.entries(request, KIND), change)


def put_pipeline(org: Org, request: Request, pipeline: str) -> Answer:
    """``PUT /settings/pipeline/{id}?layout_id=``: change one pipeline."""
    found = _existing(org, request, pipeline)

    def change(item: Item, path: str) -> Item:
        return _changed(org, item, path, found)

    return bodies.each_of(org, KIND, bodies.entries(request, KIND, 1), change)


def patch_pipeline(org: Org, request: Request, pipeline: str) -> Answer:
    """``PATCH /settings/pipeline/{id}?layout_id=``: delete one pipeline that has no deals."""
    found = _existing(org, request, pipeline)

    def delete(item: Item, path: str) -> Item:
        bodies.required(item, ("_delete",), path)
        sent = bodies.checked(item["_delete"], "jsonobject", f"{path}._delete")
        bodies.required(sent, ("permanent",), f"{path}._delete")
        _check_deletable(org, found)
        sql = "SELECT count(*) FROM Deals WHERE Pipeline = ?"
        if org.store.read(sql, (found["actual_value"],))[0][0]:
            message = "the pipeline has deals; transfer them first"
            raise Refusal(400, "NOT_ALLOWED", message, {"resource_path_index": 2})
        documents.remove(org.store, found["id"])
        _settle(org)
        return bodies.done("pipeline deleted", found["id"])

    return bodies.each_of(org, KIND, bodies.entries(request, KIND, 1), delete)


def transfer(org: Org, request: Request) -> Answer:
    """``POST …/actions/transfer?layout_id=``: move the deals of a pipeline, and delete it."""
    _check_layout(org, request)

    def move(item: Item, path: str) -> Item:
        bodies.required(item, ("pipeline", "stages"), path)
        source, target = (_sent_pipeline(org, item, path, end) for end in ("from", "to"))
        if source["id"] == target["id"]:
            raise bodies.invalid("to", f"{path}.pipeline.to")
        _check_deletable(org, source)
        stages = _stages_of_transfer(org, item, path, source, target)
        _move_deals(org, request.user, source, target, stages)
        documents.remove(org.store, source["id"])
        _settle(org)
        done = bodies.done("pipeline transferred", source["id"])
        return done | {"details": {"job_id": str(org.store.new_id())}}

    return bodies.each_of(org, TRANSFER, bodies.entries(request, TRANSFER), move)


# -- checking --------------------------------------------------------------------------------------


def _check_layout(org: Org, request: Request) -> None:
    """Refuse a call without the layout of deals."""
    sent = request.params.get("layout_id")
    if sent is None:
        details = {"param": "layout_id"}
        message = "One of the expected parameter is missing"
        raise Refusal(400, "REQUIRED_PARAM_MISSING", message, details)
    if sent != str(layout_id(org.schema.modules["Deals"].id)):
        raise Refusal(400, "INVALID_DATA", "invalid data", {"param_name": "layout_id"})


def _existing(org: Org, request: Request, pipeline: str) -> Item:
    """Find the pipeline of an address, or refuse it."""
    _check_layout(org, request)
    found = documents.find(org.store, KIND, pipeline)
    if found is None:
        raise bodies.unknown_id()
    return found


def _checked(org: Org, item: Item, path: str, found: Item | None) -> Item:
    """Check what is sent for a pipeline: a name of its own, and stages that exist."""
    change: Item = {}
    if item.get("display_value") is not None:
        name = bodies.checked(item["display_value"], "string", f"{path}.display_value")
        if len(name) > NAME_LENGTH:
            at = f"{path}.display_value"
            raise bodies.invalid("display_value", at, maximum_length=NAME_LENGTH)
        for each in documents.listed(org.store, KIND):
            taken = each["display_value"].lower() == name.lower()
            if taken and (found is None or each["id"] != found["id"]):
                raise bodies.duplicate("display_value", f"{path}.display_value")
        change["display_value"] = name
    if item.get("default") is not None:
        change["default"] = bodies.checked(item["default"], "boolean", f"{path}.default")
    if item.get("maps") is not None:
        maps = bodies.checked(item["maps"], "jsonarray", f"{path}.maps")
        present = found["stages"] if found else []
        change["stages"] = _stages(org, maps, f"{path}.maps", present)
    return change


def _stages(org: Org, maps: list[object], path: str, present: list[str]) -> list[str]:
    """Read the stages of a pipeline in their order; those to be deleted go."""
    chosen: dict[str, int] = {name: n for n, name in enumerate(present)}
    for number, each in enumerate(maps):
        at = f"{path}[{number}]"
        sent = bodies.checked(each, "jsonobject", at)
        name = _stage(org, sent, at)
        if sent.get("_delete"):
            chosen.pop(name, None)
        else:
            chosen[name] = int(sent.get("sequence_number") or number + 1)
    if not chosen:
        raise bodies.invalid("maps", path, minimum_length=1)
    return sorted(chosen, key=lambda name: chosen[name])


def _stage(org: Org, sent: Item, path: str) -> str:
    """Find the stage that a map names by its id or its value."""
    if sent.get("id") is None and sent.get("display_value") is None:
        raise bodies.missing("display_value", path)
    for each in choices_json(org.schema.modules["Deals"].by_name["Stage"]):
        if str(sent.get("id")) == each["id"] or sent.get("display_value") == each["display_value"]:
            return str(each["display_value"])
    name = "display_value" if sent.get("id") is None else "id"
    raise bodies.invalid(name, f"{path}.{name}")


def _check_deletable(org: Org, pipeline: Item) -> None:
    """Refuse to delete the pipeline that new deals get."""
    if pipeline["default"]:
        message = "the default pipeline cannot be deleted"
        raise Refusal(400, "NOT_ALLOWED", message, {"id": pipeline["id"]})


def _sent_pipeline(org: Org, item: Item, path: str, end: str) -> Item:
    """Find a pipeline that a transfer names."""
    sent = bodies.checked(item["pipeline"], "jsonobject", f"{path}.pipeline")
    bodies.required(sent, (end,), f"{path}.pipeline")
    found = documents.find(org.store, KIND, sent[end])
    if found is None:
        raise bodies.invalid(end, f"{path}.pipeline.{end}")
    return found


def _stages_of_transfer(
    org: Org, item: Item, path: str, source: Item, target: Item
) -> dict[str, str]:
    """Read which stage becomes which; every stage that the other pipeline lacks is named."""
    moves: dict[str, str] = {}
    sent = bodies.checked(item["stages"], "jsonarray", f"{path}.stages")
    for number, each in enumerate(sent):
        at = f"{path}.stages[{number}]"
        bodies.required(bodies.checked(each, "jsonobject", at), ("from", "to"), at)
        ends = [_stage(org, {"id": each[end]}, f"{at}.{end}") for end in ("from", "to")]
        if ends[1] not in target["stages"]:
            raise bodies.invalid("to", f"{at}.to", supported_values=target["stages"])
        moves[ends[0]] = ends[1]
    lost = [each for each in source["stages"] if each not in {*target["stages"], *moves}]
    if lost:
        raise bodies.invalid("stages", f"{path}.stages", supported_values=lost)
    return moves


# -- writing ---------------------------------------------------------------------------------------


def _changed(org: Org, item: Item, path: str, found: Item) -> Item:
    """Change one pipeline; deals follow its name."""
    change = _checked(org, item, path, found)
    if found["default"] and change.get("default") is False:
        raise bodies.invalid("default", f"{path}.default")
    documents.change(org.store, found | change)
    _settle(org, found["id"] if change.get("default") else None)
    return bodies.done("pipeline updated", found["id"])


def _move_deals(org: Org, user: int, source: Item, target: Item, stages: dict[str, str]) -> None:
    """Put the deals of a pipeline into another one, at their stages there."""
    sql = "SELECT id, Stage FROM Deals WHERE Pipeline = ?"
    deals = org.store.read(sql, (source["actual_value"],))
    rows = [
        {"id": deal, "Pipeline": target["actual_value"], "Stage": stages.get(stage, stage)}
        for deal, stage in deals
    ]
    org.store.update("Deals", rows, user=user)


def _settle(org: Org, default: str | None = None) -> None:
    """Let the fields of deals have the pipelines that there are, one of them the default."""
    for each in documents.listed(org.store, KIND) if default else ():
        if each["default"] != (each["id"] == default):
            documents.change(org.store, each | {"default": each["id"] == default})
    kept = documents.listed(org.store, KIND)
    names = tuple(Choice(each["actual_value"]) for each in kept)
    allowed = tuple((each["actual_value"], tuple(each["stages"])) for each in kept)
    fields = org.schema.modules["Deals"].by_name
    customizing.change_field(org.store, "Deals", replace(fields["Pipeline"], choices=names))
    stage = replace(fields["Stage"], depends=Dependence("Pipeline", allowed))
    customizing.change_field(org.store, "Deals", stage)


def _shown(org: Org, pipeline: Item) -> Item:
    """Show a pipeline with its stages."""
    stages = choices_json(org.schema.modules["Deals"].by_name["Stage"])
    by_name = {each["display_value"]: each for each in stages}
    names = ("display_value", "actual_value", "forecast_category", "forecast_type", "colour_code")
    maps = [
        {name: by_name[stage].get(name) for name in ("id", *names)} | {"sequence_number": number}
        for number, stage in enumerate(pipeline["stages"], 1)
        if stage in by_name
    ]
    described = {
        name: pipeline[name] for name in ("id", "display_value", "actual_value", "default")
    }
    return described | {"maps": maps, "child_available": False, "parent": None}


_PATH = f"{V8}/settings/pipeline"


def _route(method: str, path: str, handler: object, what: str, operation: str) -> Route:
    """Make a route; all of them need the layout."""
    scope = (f"ZohoCRM.settings.pipeline.{operation}",)
    return Route(method, path, handler, what, scope, honours=("layout_id",))  # type: ignore[arg-type]


ROUTES = (
    _route("GET", _PATH, get_pipelines, "pipelines of deals", "READ"),
    _route("POST", _PATH, post_pipelines, "make pipelines", "CREATE"),
    _route("PUT", _PATH, put_pipelines, "change pipelines", "UPDATE"),
    _route("GET", f"{_PATH}/{{pipeline}}", get_pipeline, "one pipeline", "READ"),
    _route("PUT", f"{_PATH}/{{pipeline}}", put_pipeline, "change one pipeline", "UPDATE"),
    _route("PATCH", f"{_PATH}/{{pipeline}}", patch_pipeline, "delete one pipeline", "DELETE"),
    _route("POST", f"{_PATH}/actions/transfer", transfer, "move deals and delete", "UPDATE"),
)
