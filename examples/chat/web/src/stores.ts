// Made by `syncdb types` of stores.so: what is changed here by hand is lost.
import { moduleStore } from "syncdb/module";

export interface ChatMessage {
  role: string;
  content: string;
}

export const chatMessage = moduleStore<ChatMessage, "event">("chat_message", "event");

export interface Account {
  name: string;
}

export const account = moduleStore<Account, "singular">("account", "singular");
