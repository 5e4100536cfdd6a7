import { useCallback, useRef, useState } from "react";
import { Banner } from "./Banner.js";
import type { ComposerHandle } from "./Composer.js";
import { Composer } from "./Composer.js";
import { Header } from "./Header.js";
import { MessageList } from "./MessageList.js";
import { useSession } from "./session.js";
import { chatMessage } from "./stores.js";

interface ChatProps {
  readonly user: string;
  readonly onSignOut: (clear: boolean) => Promise<void>;
}

/** One user's chat: header, messages, and where the next one is written. */
export function Chat({ user, onSignOut }: ChatProps) {
  const messages = useSession().store(chatMessage);
  const composer = useRef<ComposerHandle>(null);
  const [sent, setSent] = useState(0);

  const send = useCallback(
    async (content: string) => {
      await messages.push({ role: "user", content });
      setSent((count) => count + 1);
    },
    [messages],
  );
  const focusComposer = useCallback(() => composer.current?.focus(), []);

  return (
    <div className="chat">
      <Header user={user} onSignOut={onSignOut} />
      <main className="chat-main">
        <Banner />
        <MessageList sent={sent} onEmptied={focusComposer} />
        <Composer ref={composer} onSend={send} />
      </main>
    </div>
  );
}
