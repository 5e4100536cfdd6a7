// What createStore and moduleStore infer, and what they do not let through.
import { z } from "zod";
import * as mini from "zod/mini";
import { createStore, type Store, type ValueOf } from "syncdb";
import { moduleStore } from "syncdb/module";

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
const sure = <Holds extends true>(): Holds | undefined => undefined;

export const account = createStore({
  name: "account",
  type: "singular",
  schema: z.object({
    name: z.string(),
    born: z.iso.date().optional(),
    bio: z.string().nullable(),
    tags: z.array(z.enum(["a", "b"])).readonly(),
  }),
  rules: { create: true, update: { properties: { name: { minLength: 1 } } } },
  validateUpdate(action, object) {
    sure<Equal<typeof action, "create" | "update" | "delete">>();
    sure<Equal<typeof object.bio, string | null>>();
    // @ts-expect-error there is no such property
    void object.nickname;
    // @ts-expect-error no action is called so
    void (action === "push");
  },
});

sure<Equal<ValueOf<typeof account>, {
  name: string; born?: string | undefined; bio: string | null; tags: readonly ("a" | "b")[];
}>>();
sure<Equal<(typeof account)["type"], "singular">>();

export const shapes = createStore({
  name: "shapes",
  type: "event",
  schema: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("circle"), radius: z.number() }),
    z.object({ kind: z.literal("square"), side: z.number() }),
  ]),
  async validateUpdate(_action, object) {
    if (object.kind === "circle") sure<Equal<typeof object.radius, number>>();
    // @ts-expect-error only a circle has one
    void object.radius;
  },
});
sure<Equal<ValueOf<typeof shapes>["kind"], "circle" | "square">>();

export const small = createStore({
  name: "small",
  type: "event",
  schema: { text: mini.string(), more: mini.optional(mini.number()) },
});
sure<Equal<ValueOf<typeof small>, { text: string; more?: number | undefined }>>();

interface Named { readonly name: string }
export const named = moduleStore<Named, "event">("named", "event");
sure<Equal<ValueOf<typeof named>, Named>>();

/** A list of stores takes all of them. */
export const stores: readonly Store[] = [account, shapes, small, named];

// @ts-expect-error objects are objects
createStore({ name: "text", type: "event", schema: z.string() });
// @ts-expect-error a shape has zod types
createStore({ name: "text", type: "event", schema: { text: "string" } });
// @ts-expect-error no type is called so
createStore({ name: "text", type: "many", schema: { text: z.string() } });
// @ts-expect-error a name is needed
createStore({ type: "event", schema: { text: z.string() } });
// @ts-expect-error no member is called so
createStore({ name: "text", type: "event", schema: { text: z.string() }, validate() {} });
// @ts-expect-error a rule says yes by not throwing
createStore({ name: "a", type: "event", schema: { a: z.string() }, validateUpdate: () => true });
// @ts-expect-error no action is called so
createStore({ name: "text", type: "event", schema: { text: z.string() }, rules: { push: true } });
// @ts-expect-error the type is the one that is named
moduleStore<Named, "event">("named", "singular");
// @ts-expect-error the objects are others
export const other: Store<{ readonly title: string }> = named;
