// Zoho's own SDK at work against a served emulator: `node client.mjs PACKAGE LOGIN CREDENTIALS FOLDER`,
// where LOGIN is refresh (all checks) or grant (one query).
// Prints one line of JSON: the result of each check, or what went wrong in its place.

import fs from "node:fs";
import path from "node:path";

const [packageName, login, credentials, folder] = process.argv.slice(2);
const loaded = await import(packageName);
const sdk = loaded.Record ? loaded : loaded.default;
const facts = JSON.parse(credentials);
const { ParameterMap, HeaderMap } = sdk;

async function initialize(token, name) {
  const home = path.join(folder, name);
  fs.mkdirSync(home, { recursive: true });
  const environment = new sdk.Environment(
    facts.api_domain, `${facts.accounts_url}/oauth/v2/token`, facts.upload_url);
  const builder = await new sdk.InitializeBuilder();
  builder.environment(environment).token(token)
    .store(new sdk.FileStore(path.join(home, "tokens.txt")))
    .SDKConfig(new sdk.SDKConfigBuilder().autoRefreshFields(false).pickListValidation(false).build())
    .resourcePath(home)
    .logger(new sdk.LogBuilder().level(sdk.Levels.ERROR).filePath(path.join(home, "sdk.log")).build());
  await builder.initialize();
}

const client = () => new sdk.OAuthBuilder().clientId(facts.client_id).clientSecret(facts.client_secret);

async function params(pairs) {
  const map = new ParameterMap();
  for (const [param, value] of pairs) await map.add(param, value);
  return map;
}

// The body of a response; an error of Zoho's becomes an exception that names its code.
function body(response) {
  if (response.getStatusCode() === 204) return null;
  const object = response.getObject();
  if (object?.constructor?.name === "APIException") {
    throw new Error(`${response.getStatusCode()} ${JSON.stringify(object)}`);
  }
  return object;
}

const results = (response, list = "getData") => body(response)[list]().map((result) => ({
  status: result.getStatus().getValue(),
  code: result.getCode().getValue(),
  details: Object.fromEntries([...result.getDetails()].map(([key, value]) => [key, String(value)])),
}));

const records = (module) => new sdk.Record.RecordOperations(module);

function record(values) {
  const made = new sdk.Record.Record();
  for (const [name, value] of Object.entries(values)) {
    if (name === "id") made.setId(value); else made.addKeyValue(name, value);
  }
  return made;
}

function wrapper(Body, setter, value) {
  const made = new Body();
  made[setter](value);
  return made;
}

const recordBody = (...rows) => wrapper(sdk.Record.BodyWrapper, "setData", rows.map(record));

async function page(module, fields) {
  const ids = [];
  for (let token = null, more = true; more;) {
    const { GetRecordsParam } = sdk.Record;
    const pairs = [[GetRecordsParam.FIELDS, fields]];
    if (token) pairs.push([GetRecordsParam.PAGE_TOKEN, token]);
    const answer = body(await records(module).getRecords(await params(pairs), new HeaderMap()));
    ids.push(...answer.getData().map((each) => String(each.getId())));
    token = answer.getInfo().getNextPageToken();
    more = answer.getInfo().getMoreRecords();
  }
  return { records: ids.length, distinct: new Set(ids).size };
}

async function query(text) {
  const answer = body(await new sdk.Coql.CoqlOperations().getRecords(
    wrapper(sdk.Coql.BodyWrapper, "setSelectQuery", text)));
  return { rows: answer.getData().length, more: answer.getInfo().getMoreRecords() };
}

async function lifeOfALead() {
  const leads = records("Leads");
  const [made] = results(await leads.createRecords(recordBody(
    { Last_Name: "Osei", Company: "Northwind", Lead_Source: new sdk.Choice("Website") })));
  const id = BigInt(made.details.id);
  const [changed] = results(await leads.updateRecords(recordBody({ id, City: "Accra" })));
  const upsert = recordBody({ Last_Name: "Osei", Email: "osei@example.com" });
  upsert.setDuplicateCheckFields(["Email"]);
  const [upserted] = results(await leads.upsertRecords(upsert, new HeaderMap()));
  const read = body(await leads.getRecord(id, new ParameterMap(), new HeaderMap())).getData()[0];
  const [deleted] = results(await leads.deleteRecords(
    await params([[sdk.Record.DeleteRecordsParam.IDS, String(id)]]), new HeaderMap()));
  const after = await leads.getRecord(id, new ParameterMap(), new HeaderMap());
  return {
    made: made.code, changed: changed.code, upserted: upserted.code, deleted: deleted.code,
    city: read.getKeyValue("City"), after: after.getStatusCode(),
  };
}

async function search() {
  const { SearchRecordsParam, RecordCountParam } = sdk.Record;
  const criteria = "(City:equals:Pune)";
  const found = body(await records("Leads").searchRecords(
    await params([[SearchRecordsParam.CRITERIA, criteria]]), new HeaderMap()));
  const counted = body(await records("Leads").recordCount(
    await params([[RecordCountParam.CRITERIA, criteria]])));
  return { found: found.getData().length, count: Number(counted.getCount()) };
}

async function metadata() {
  const modules = body(await new sdk.Modules.ModulesOperations().getModules(
    new ParameterMap(), new HeaderMap()));
  const fields = body(await new sdk.Fields.FieldsOperations().getFields(
    await params([[sdk.Fields.GetFieldsParam.MODULE, "Deals"]])));
  const users = body(await new sdk.Users.UsersOperations().getUsers(new ParameterMap(), new HeaderMap()));
  const org = body(await new sdk.Org.OrgOperations().getOrganization());
  return {
    modules: modules.getModules().length, fields: fields.getFields().length,
    users: users.getUsers().length, org: org.getOrg()[0].getCompanyName(),
  };
}

async function firstId(module) {
  const answer = body(await records(module).getRecords(
    await params([[sdk.Record.GetRecordsParam.FIELDS, "id"]]), new HeaderMap()));
  return answer.getData()[0].getId();
}

async function tagsAndNotes() {
  const lead = await firstId("Leads");
  const tag = wrapper(sdk.Tags.Tag, "setName", "from-the-sdk");
  const [tagged] = results(await new sdk.Tags.TagsOperations().addTags(
    "Leads", lead, wrapper(sdk.Tags.NewTagRequestWrapper, "setTags", [tag]), new ParameterMap()));
  const note = new sdk.Notes.Note();
  note.setNoteTitle("Called");
  note.setNoteContent("Interested");
  const parent = new sdk.Notes.ParentId();
  parent.setId(lead);
  const module = wrapper(sdk.Modules.MinifiedModule, "setAPIName", "Leads");
  parent.setModule(module);
  note.setParentId(parent);
  const [noted] = results(await new sdk.Notes.NotesOperations().createNotes(
    wrapper(sdk.Notes.BodyWrapper, "setData", [note])));
  return { tagged: tagged.code, noted: noted.code };
}

async function attachment() {
  const lead = await firstId("Leads");
  const file = path.join(folder, "offer.txt");
  fs.writeFileSync(file, "42 rupees");
  const operations = new sdk.Attachments.AttachmentsOperations();
  const [attached] = results(await operations.uploadAttachments(lead, "Leads", wrapper(
    sdk.Attachments.FileBodyWrapper, "setFile", new sdk.StreamWrapper(null, null, file))));
  const listed = body(await operations.getAttachments(lead, "Leads", await params(
    [[sdk.Attachments.GetAttachmentsParam.FIELDS, "id,File_Name"]])));
  return { attached: attached.code, names: listed.getData().map((each) => each.getFileName()) };
}

async function convert() {
  const [made] = results(await records("Leads").createRecords(
    recordBody({ Last_Name: "Convertible", Company: "Lotus Energy" })));
  const converter = new sdk.ConvertLead.LeadConverter();
  converter.setOverwrite(true);
  const operations = new sdk.ConvertLead.ConvertLeadOperations(BigInt(made.details.id));
  const answer = body(await operations.convertLead(
    wrapper(sdk.ConvertLead.BodyWrapper, "setData", [converter])));
  return { code: answer.getData()[0].getCode().getValue() };
}

async function notifications() {
  const channel = new sdk.Notifications.Notification();
  channel.setChannelId("1006800211");
  channel.setEvents(["Deals.edit"]);
  channel.setNotifyUrl("https://app.example.com/hook");
  channel.setToken("a shared secret");
  const operations = new sdk.Notifications.NotificationsOperations();
  const [opened] = results(await operations.enableNotifications(
    wrapper(sdk.Notifications.BodyWrapper, "setWatch", [channel])), "getWatch");
  const listed = body(await operations.getNotifications(await params(
    [[sdk.Notifications.GetNotificationsParam.CHANNEL_ID, "1006800211"]])));
  return { opened: opened.code, resource: listed.getWatch()[0].getResourceName() };
}

async function until(done) {
  for (let tries = 0; tries < 60; tries += 1) {
    const answer = await done();
    if (answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  throw new Error("the job did not end");
}

async function bulkRead() {
  const { BulkReadOperations, BodyWrapper, Query } = sdk.BulkRead;
  const operations = new BulkReadOperations();
  const asked = new Query();
  const module = new sdk.Modules.MinifiedModule();
  module.setAPIName("Leads");
  asked.setModule(module);
  asked.setFields(["Last_Name", "City"]);
  const [job] = results(await operations.createBulkReadJob(wrapper(BodyWrapper, "setQuery", asked)));
  const id = BigInt(job.details.id);
  const detail = await until(async () => {
    const [state] = body(await operations.getBulkReadJobDetails(id)).getData();
    return state.getState().getValue() === "COMPLETED" ? state : null;
  });
  const file = (await body(await operations.downloadResult(id))).getFile(); // a promise in Node's SDK
  const magic = Buffer.from(await file.getStream()).subarray(0, 2).toString();
  return { code: job.code, count: Number(detail.getResult().getCount()), magic };
}

async function bulkWrite() {
  const { BulkWriteOperations, FileBodyWrapper, RequestWrapper, Resource, FieldMapping } = sdk.BulkWrite;
  const operations = new BulkWriteOperations();
  const headers = new HeaderMap();
  await headers.add(sdk.BulkWrite.UploadFileHeader.FEATURE, "bulk-write");
  const org = body(await new sdk.Org.OrgOperations().getOrganization()).getOrg()[0];
  await headers.add(sdk.BulkWrite.UploadFileHeader.X_CRM_ORG, org.getZgid());
  const uploaded = body(await operations.uploadFile(wrapper(
    FileBodyWrapper, "setFile", new sdk.StreamWrapper(null, null, facts.zip)), headers));
  const resource = new Resource();
  resource.setType(new sdk.Choice("data"));
  const module = new sdk.Modules.MinifiedModule();
  module.setAPIName("Leads");
  resource.setModule(module);
  resource.setFileId(String(uploaded.getDetails().get("file_id")));
  resource.setFieldMappings(["Last_Name", "Company"].map((name, index) => {
    const mapping = new FieldMapping();
    mapping.setAPIName(name);
    mapping.setIndex(index);
    return mapping;
  }));
  const request = new RequestWrapper();
  request.setOperation(new sdk.Choice("insert"));
  request.setResource([resource]);
  const job = body(await operations.createBulkWriteJob(request));
  const id = String(job.getDetails().get("id"));
  const detail = await until(async () => {
    const state = body(await operations.getBulkWriteJobDetails(id));
    return state.getStatus() === "COMPLETED" ? state : null;
  });
  const file = detail.getResource()[0].getFile();
  return { code: job.getCode().getValue(), added: Number(file.getAddedCount()) };
}

async function refusal() {
  const { GetRecordsParam } = sdk.Record;
  const answer = await records("Leads").getRecords(
    await params([[GetRecordsParam.FIELDS, "id"], [GetRecordsParam.PAGE, 11]]), new HeaderMap());
  return { status: answer.getStatusCode(), code: answer.getObject().getCode().getValue() };
}

const checks = {
  pages: () => page("Leads", "Last_Name,Company,Owner,Created_Time"),
  coql: () => query("select Last_Name, Owner, Created_Time from Leads where id is not null limit 2000"),
  life: lifeOfALead,
  search, metadata, tagsAndNotes, attachment, convert, notifications, bulkRead, bulkWrite, refusal,
};

async function attempt(check) {
  try {
    return await check();
  } catch (error) {
    return { failed: String(error?.stack ?? error), detail: JSON.stringify(error) };
  }
}

const token = login === "grant"
  ? client().grantToken(facts.grant_code).build()
  : client().refreshToken(facts.refresh_token).build();
const chosen = login === "grant" ? { grant: () => query("select id from Leads where id is not null limit 3") } : checks;
const said = {};
process.on("unhandledRejection", (error) => { said.unhandled = String(error?.stack ?? error); });
await initialize(token, login);
for (const [name, check] of Object.entries(chosen)) said[name] = await attempt(check);
const plain = (_, value) => (typeof value === "bigint" ? String(value) : value);
process.stdout.write(`${JSON.stringify(said, plain)}\n`, () => process.exit(0));
