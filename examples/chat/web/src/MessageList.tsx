import { Fragment, useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { SyncRecord } from "syncdb/client";
import { useStatus, useStore } from "syncdb/react";
import { Announcer } from "./Announcer.js";
import { DownIcon } from "./icons.js";
import { Message } from "./Message.js";
import { useSession } from "./session.js";
import type { ChatMessage } from "./stores.js";
import { chatMessage } from "./stores.js";
import { dayName, dayOf } from "./time.js";
import { useOlder } from "./useOlder.js";
import { useScroll } from "./useScroll.js";
import { timeOf } from "./view.js";

type MessageRecord = SyncRecord<ChatMessage>;

interface MessageListProps {
  /** How many messages were sent from here: each brings the list to its end. */
  readonly sent: number;
  /** What had the focus is gone. */
  readonly onEmptied: () => void;
}

/** What can be done with a message; failures of it are shown at the message. */
function useActions(onEmptied: () => void) {
  const messages = useSession().store(chatMessage);
  const settle = useCallback(
    async ({ id, clientId }: MessageRecord, action: (clientId: string) => Promise<void>) => {
      try {
        const failed = await messages.failed();
        const push = failed.find((p) => p.clientId === clientId || (id && p.id === id));
        if (push) await action(push.clientId);
      } catch {
        // Settled meanwhile, or signed out: the message shows how it stands.
      }
    },
    [messages],
  );
  const onRemove = useCallback(
    ({ id, clientId }: MessageRecord) => {
      onEmptied();
      // Gone meanwhile, by another tab or device: that is what was wanted.
      messages.remove(id ?? clientId ?? "").catch(() => {});
    },
    [messages, onEmptied],
  );
  const onRetry = useCallback(
    async (record: MessageRecord) => {
      onEmptied();
      await settle(record, (clientId) => messages.retry(clientId));
    },
    [messages, onEmptied, settle],
  );
  const onDiscard = useCallback(
    async (record: MessageRecord) => {
      onEmptied();
      await settle(record, (clientId) => messages.discard(clientId));
    },
    [messages, onEmptied, settle],
  );
  return { onRemove, onRetry, onDiscard };
}

/** Whether there is something below that was not there when the end was last in view. */
function useUnseen(newest: MessageRecord | undefined, atBottom: boolean): boolean {
  const seen = useRef<string | undefined>(undefined);
  useEffect(() => {
    if (atBottom) seen.current = newest?.key;
  }, [atBottom, newest]);
  return !atBottom && newest !== undefined && seen.current !== newest.key;
}

function Empty({ loading }: { readonly loading: boolean }) {
  if (loading) return null;
  return (
    <div className="empty">
      <p className="empty-title">Say hello</p>
      <p>
        What you write is here at once, on all your devices a moment later, and answered word by
        word.
      </p>
    </div>
  );
}

/** The messages, the newest at the bottom; older ones come as they are scrolled to. */
export function MessageList({ sent, onEmptied }: MessageListProps) {
  const { records, hasOlder, loading } = useStore(chatMessage);
  const { phase } = useStatus();
  const oldestFirst = useMemo(() => [...records].reverse(), [records]);
  const { scroller, atBottom, toBottom } = useScroll(records);
  const { top, isLoading } = useOlder(scroller, records.length, hasOlder, phase === "live");
  const unseen = useUnseen(records[0], atBottom);
  const actions = useActions(onEmptied);
  const [now, setNow] = useState(() => Date.now());

  useEffect(() => toBottom(), [sent, toBottom]);
  useEffect(() => setNow(Date.now()), [records.length]);

  return (
    <div className="log">
      <div
        className="scroller"
        ref={scroller}
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label="Messages"
      >
        <div className="content">
          {hasOlder && (
            <p className="older" ref={top}>
              {isLoading ? "Loading older messages" : "Older messages"}
            </p>
          )}
          {records.length === 0 && <Empty loading={loading} />}
          <ol className="messages">
            {oldestFirst.map((record, at) => {
              const time = timeOf(record.object);
              const before = oldestFirst[at - 1];
              const isNewDay = !before || dayOf(timeOf(before.object)) !== dayOf(time);
              return (
                <Fragment key={record.key}>
                  {isNewDay && <li className="day">{dayName(time, now)}</li>}
                  <Message record={record} {...actions} />
                </Fragment>
              );
            })}
          </ol>
        </div>
      </div>
      {!atBottom && (
        <button type="button" className="jump" onClick={toBottom}>
          <DownIcon />
          {unseen ? "New messages" : "To the end"}
        </button>
      )}
      <Announcer records={records} loading={loading} />
    </div>
  );
}
