/** The page: nobody is signed in, or one user's chat. */
import { createRoot } from "react-dom/client";
import type { Client } from "syncdb/client";
import { createClient, deleteLocalData } from "syncdb/client";
import { SyncdbProvider } from "syncdb/react";
import { Chat } from "./Chat.js";
import { SignIn } from "./SignIn.js";
import chatModule from "./chat.wasm?url";
import { account, chatMessage } from "./stores.js";
import "./style.css";
import { currentUser, forgetUser, onSignedOut, rememberUser, setAddress } from "./user.js";

const root = createRoot(document.getElementById("root")!);
let session: { readonly user: string; readonly client: Client } | null = null;

const urlOf = (user: string) => new URL(`/sync?user=${encodeURIComponent(user)}`, location.href);

function connect(user: string): Client {
  const stores = [chatMessage, account];
  return createClient({ url: urlOf(user), user, stores, wasm: chatModule });
}

function signIn(user: string): void {
  rememberUser(user);
  session = { user, client: connect(user) };
  show();
}

/** Ends the session; `clear`: and what this browser keeps of it. */
async function signOut(clear: boolean): Promise<void> {
  if (!session) return;
  const { user, client } = session;
  forgetUser(user);
  session = null;
  show();
  await client.close();
  // A tab that holds on to the data keeps it until it is gone too.
  if (clear) await deleteLocalData({ url: urlOf(user), user }).catch(() => {});
}

onSignedOut((user) => {
  if (session?.user !== user) return;
  setAddress(null);
  void session.client.close();
  session = null;
  show();
});

function show(): void {
  root.render(
    session ? (
      <SyncdbProvider client={session.client} key={session.user}>
        <Chat user={session.user} onSignOut={signOut} />
      </SyncdbProvider>
    ) : (
      <SignIn onSignIn={signIn} />
    ),
  );
}

const user = currentUser();
if (user) signIn(user);
else show();
