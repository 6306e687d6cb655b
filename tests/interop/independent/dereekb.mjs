// The independent client @dereekb/zoho at work on a served emulator; prints JSON.
// Its methods that write notes are left out: they call version 2 of the API.
import process from "node:process";
import * as zoho from "@dereekb/zoho";

const facts = JSON.parse(process.argv[2]);
const accounts = zoho.zohoAccountsFactory({})({
  refreshToken: facts.refresh_token,
  clientId: facts.client_id,
  clientSecret: facts.client_secret,
  apiUrl: facts.accounts_url,
});
const { crmContext } = zoho.zohoCrmFactory({ accountsContext: accounts.accountsContext })({
  apiUrl: `${facts.api_domain}/crm`,
});

async function life() {
  const insert = zoho.zohoCrmInsertRecord(crmContext);
  const made = await insert({ module: "Leads", data: { Last_Name: "Osei", Company: "Northwind", Lead_Source: "Website" } });
  const id = made.id;
  await zoho.zohoCrmUpdateRecord(crmContext)({ module: "Leads", data: { id, City: "Accra" } });
  const upserted = await zoho.zohoCrmUpsertRecord(crmContext)({ module: "Leads", data: { id, Country: "Ghana" } });
  const read = await zoho.zohoCrmGetRecordById(crmContext)({ module: "Leads", id });
  const found = await zoho.zohoCrmSearchRecords(crmContext)({ module: "Leads", word: "Osei" });
  const gone = await zoho.zohoCrmDeleteRecord(crmContext)({ module: "Leads", ids: id });
  return { city: read.City, source: read.Lead_Source, upserted: upserted.id === id, found: found.data.length, deleted: gone.successItems[0].code };
}

async function pages() {
  const page = await zoho.zohoCrmGetRecords(crmContext)({ module: "Leads", fields: "Last_Name", per_page: 50, page: 2 });
  return { records: page.data.length, more: page.info.more_records };
}

async function tags() {
  const listed = await zoho.zohoCrmGetTagsForModule(crmContext)({ module: "Leads" });
  return { tags: listed.data.length };
}

async function refusal() {
  try {
    await zoho.zohoCrmGetRecords(crmContext)({ module: "Nope", fields: "id" });
    return null;
  } catch (error) {
    return { name: error.constructor.name, code: error.code };
  }
}

const result = {};
for (const check of [life, pages, tags, refusal]) {
  try {
    result[check.name] = await check();
  } catch (error) {
    result[check.name] = { failed: String(error?.stack ?? error), error: JSON.stringify(error?.error ?? null) };
  }
}
console.log(JSON.stringify(result));
