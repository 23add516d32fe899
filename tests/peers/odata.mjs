// What the OData packages of npm make of a service.
import { OData } from "@odata/client";
import { parse } from "@sap-ux/edmx-parser";
import csdl from "odata-csdl";
import { serve } from "./lines.mjs";

const asks = {
  /** The types that SAP's reader of metadata finds. */
  edmx({ xml }) {
    const { schema } = parse(xml);
    return {
      types: Object.fromEntries(schema.entityTypes.map((type) => [type.name, {
        keys: type.keys.map((key) => key.name),
        properties: Object.fromEntries(type.entityProperties.map((each) => [each.name, each.type])),
        navigations: Object.fromEntries(type.navigationProperties.map((each) => [each.name, each.targetTypeName])),
      }])),
      sets: schema.entitySets.map((set) => [set.name, set.entityTypeName]),
      actions: schema.actions.length,
    };
  },
  /** XML as JSON by the reference converter. */
  csdl({ xml }) {
    return csdl.xml2json(xml, { annotations: true, strict: true });
  },
  async client({ url }) {
    const client = OData.New4({ serviceEndpoint: `${url}/odata/` });
    const authors = client.getEntitySet("authors");
    const made = await authors.create({ email: "o@client.org", name: "O'Client", rating: 4 });
    await authors.update(made.id, { name: "Changed" });
    const again = await authors.retrieve(made.id, client.newOptions().select(["id", "name"]));
    const found = await authors.query(client.newFilter().property("name").eq("Changed").property("rating").gt(3));
    const options = client.newOptions().orderby("name", "desc").top(5).skip(0).count(true).expand("books");
    const page = await client.newRequest({ collection: "authors", params: options });
    const count = await authors.count({ name: "Changed" });
    const acted = await authors.action("MostaJS.increment", made.id, { field: "rating", amount: 3 });
    const requests = () => [
      client.newBatchRequest({ collection: "tags", entity: { label: `red${Math.random()}` }, method: "POST" }),
      client.newBatchRequest({ collection: "tags", entity: { label: `blue${Math.random()}` }, method: "POST" }),
      client.newBatchRequest({ collection: "authors", id: made.id, method: "GET" }),
    ];
    const batched = [];
    for (const answer of await client.execBatchRequests(requests())) {
      batched.push([answer.status, Object.keys(await answer.json())[0]]);
    }
    const json = [];
    for (const answer of await client.execBatchRequestsJson(requests())) {
      json.push([answer.status, Object.keys(await answer.json())[0]]);
    }
    let refused;
    await authors.create({ name: "no email" }).catch((problem) => { refused = String(problem); });
    await authors.delete(made.id);
    const left = await authors.count();
    return { again, found, page, count, acted, batched, json, refused, left };
  },
};

serve((ask) => asks[ask.do](ask));
