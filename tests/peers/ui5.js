// What an application does with SAP UI5's OData client: runs in the page of tests/acceptance/ui5.py.
async (service) => {
  const load = (...names) => new Promise((ok, no) => sap.ui.require(names, (...found) => ok(found), no));
  const [ODataModel, Filter, Sorter] = await load(
    "sap/ui/model/odata/v4/ODataModel", "sap/ui/model/Filter", "sap/ui/model/Sorter");
  const model = new ODataModel({ serviceUrl: `${service}/odata/`, operationMode: "Server", autoExpandSelect: true });
  const meta = model.getMetaModel();
  const type = await meta.requestObject("/authors/");

  const list = model.bindList("/authors", undefined, [new Sorter("name")], undefined, { $count: true });
  const people = ["Ada", "Bob"].map((name) => list.create({ email: `${name}@ui5.org`, name }));
  await Promise.all(people.map((each) => each.created()));
  const ada = people[0];
  const tags = [ada.getProperty("@odata.etag")];
  await ada.setProperty("name", "Ada Lovelace");
  tags.push(ada.getProperty("@odata.etag"));
  const books = model.bindList("/books", undefined);
  await books.create({ title: "Notes", pages: 42, author_id: ada.getProperty("id") }).created();

  const shown = model.bindList("/authors", undefined, undefined,
    new Filter({ path: "name", operator: "Contains", value1: "LOVE", caseSensitive: false }),
    { $count: true, $select: "id,name", $expand: { books: { $select: "title,pages", $filter: "pages gt 40" } } });
  const found = (await shown.requestContexts(0, 10)).map((each) => each.getObject());
  const total = shown.getCount();

  let stale;
  const other = new ODataModel({ serviceUrl: `${service}/odata/`, operationMode: "Server" });
  const twin = other.bindContext(`/authors('${ada.getProperty("id")}')`);
  await twin.requestObject();
  await ada.setProperty("rating", 5);
  await twin.getBoundContext().setProperty("rating", 6).catch((problem) => { stale = problem.status; });

  const increment = model.bindContext("MostaJS.increment(...)", ada);
  increment.setParameter("field", "rating").setParameter("amount", 2);
  await increment.invoke();
  const rating = increment.getBoundContext().getProperty("rating");

  await people[1].delete();
  const left = (await model.bindList("/authors").requestContexts(0, 10)).map((each) => each.getProperty("name"));
  return { kinds: [type.name.$Type, type.books.$kind, type.books.$isCollection], tags, found, total, stale, rating, left };
}
