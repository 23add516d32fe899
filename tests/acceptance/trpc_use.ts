// A program that uses the types of shop.json's router: it compiles, and what must not compile does not.
import { createTRPCClient, httpLink } from "@trpc/client";
import type { AppRouter, Customer } from "./AppRouter.js";

const client = createTRPCClient<AppRouter>({ links: [httpLink({ url: "http://127.0.0.1" })] });

export async function right(): Promise<Customer | null> {
  const all = await client.Customer.findAll.query({ filter: { visits: { $gte: 1 } }, options: { sort: { email: 1 } } });
  const emails: string[] = all.data.map((row) => row.email);
  const made = await client.Customer.create.mutate({ data: { email: emails[0], status: "regular" } });
  const count: number = (await client.Customer.count.query()).data;
  const gone: boolean = (await client.Order.delete.mutate({ id: `${count}` })).data;
  client.Customer.watch.subscribe(undefined, {
    onData: ({ id, data }) => console.log(id, gone, data.data?.visits),
  });
  return made.data;
}

export function wrong() {
  // @ts-expect-error: there is no such entity
  client.Ghost.findAll.query();
  // @ts-expect-error: there is no such operation
  client.Customer.destroy.mutate({ id: "1" });
  // @ts-expect-error: a query is no mutation
  client.Customer.count.mutate();
  // @ts-expect-error: the id is needed
  client.Customer.findById.query({});
  // @ts-expect-error: an email is required
  client.Customer.create.mutate({ data: { visits: 1 } });
  // @ts-expect-error: and is text
  client.Customer.create.mutate({ data: { email: 1 } });
  // @ts-expect-error: one of three words
  client.Customer.update.mutate({ id: "1", data: { status: "odd" } });
  // @ts-expect-error: secrets are never told
  client.Customer.findById.query({ id: "1" }).then((answer) => answer.data?.password);
}
