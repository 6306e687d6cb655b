"""The org's modules and fields."""

from __future__ import annotations

from zcrm_nb.emulator.catalog import org_schema
from zcrm_nb.emulator.storage.schema import DATA_TYPES, ORG_PREFIX, Schema


def test_every_data_type_of_the_wire_facts_occurs(schema: Schema) -> None:
    """A client that reads this org has met each type that metadata knows."""
    used = {each.data_type for module in schema.modules.values() for each in module.fields}
    assert used == set(DATA_TYPES)


def test_the_custom_module_has_every_type_a_person_can_create(schema: Schema) -> None:
    """Site_Visits is where a client learns formulas, roll-ups, files and links."""
    custom = {each.data_type for each in schema.modules["Site_Visits"].fields if each.custom}
    assert custom >= {
        "autonumber", "formula", "rollup_summary", "percent", "multiselectpicklist", "subform",
        "multiselectlookup", "multiuserlookup", "userlookup", "multi_module_lookup", "imageupload",
        "fileupload", "decimal", "mediumtext", "time_range",
    }  # fmt: skip


def test_leads_have_more_fields_than_one_list_call_may_ask_for(schema: Schema) -> None:
    """Zoho takes 50 names in ``fields``, so clients must ask twice."""
    assert len(schema.modules["Leads"].fields) > 50


def test_ids_are_unique_have_18_digits_and_are_the_same_every_time(schema: Schema) -> None:
    """Modules, fields and their choices never share an id, and two builds give the same ones."""
    ids = [module.id for module in schema.tables]
    ids += [each.id for module in schema.tables for each in module.fields]
    ids += [
        each.id + number
        for module in schema.tables
        for each in module.fields
        for number in range(1, len(each.choices) + 1)
    ]
    assert len(ids) == len(set(ids))
    assert all(len(str(each)) == 18 and each > ORG_PREFIX for each in ids)
    assert org_schema() == schema


def test_every_pointer_points_to_a_module_of_the_org(schema: Schema) -> None:
    """Targets of lookups, subforms, links and roll-ups exist, and roll-ups name real fields."""
    known = {module.api_name for module in schema.tables}
    for module in schema.tables:
        assert module.name_field in module.by_name
        for each in module.fields:
            assert {each.target, *each.targets} - {None} <= known, each.api_name
            if each.rollup:
                child = schema.modules[each.rollup.module]
                assert child.by_name[each.rollup.via].target == module.api_name
                assert child.by_name[each.rollup.column].column


def test_a_module_has_at_most_one_lookup_to_several_modules(schema: Schema) -> None:
    """There is one ``$se_module`` a record, so it can speak for one field only."""
    for module in schema.modules.values():
        assert sum(bool(each.targets) for each in module.fields) <= 1, module.api_name


def test_picklists_start_with_none_and_name_no_value_twice(schema: Schema) -> None:
    """As in Zoho; stages and pipelines, which a deal always has, start with a real value."""
    always_set = {"Stage", "Pipeline", "Record_Status__s", "status"}
    for module in schema.tables:
        for each in module.fields:
            values = [choice.value for choice in each.choices]
            assert len(values) == len(set(values)), each.api_name
            if values:
                history_of_stages = module.api_name == "DealHistory"
                always = each.api_name in always_set or history_of_stages
                assert (values[0] == "-None-") != always


def test_subforms_and_links_belong_to_a_parent_and_lead_back_to_it(schema: Schema) -> None:
    """Rows of a subform point to their parent, links have exactly two ends."""
    for module in schema.modules.values():
        ends = [each for each in module.fields if each.data_type in {"lookup", "userlookup"}]
        if module.generated_type == "subform":
            assert module.by_name["Parent_Id"].target == module.parent
        if module.generated_type == "linking":
            assert len(ends) == 2
            assert ends[0].target == module.parent
