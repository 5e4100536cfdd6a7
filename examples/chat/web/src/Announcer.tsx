import { useEffect, useRef, useState } from "react";
import type { SyncRecord } from "syncdb/client";
import { reasonOf } from "./errors.js";
import type { ChatMessage } from "./stores.js";
import { contentOf, isOwn } from "./view.js";

interface AnnouncerProps {
  readonly records: readonly SyncRecord<ChatMessage>[];
  readonly loading: boolean;
}

/**
 * Says to a screen reader what comes: an answer once, when it is whole, not with each word, and
 * what failed. Nothing of what was there when the page opened.
 */
export function Announcer({ records, loading }: AnnouncerProps) {
  const [words, setWords] = useState("");
  const known = useRef<string | null | undefined>(undefined);
  const failed = records.find(({ state }) => state === "failed");
  const answer = records.find(({ state, object }) => state === "synced" && !isOwn(object));
  const failure = failed ? `Your message was not sent: ${reasonOf(failed.error)}` : "";

  useEffect(() => setWords(failure), [failure]);
  useEffect(() => {
    if (loading) return;
    const isNew = known.current !== undefined && known.current !== answer?.key;
    known.current = answer?.key ?? null;
    if (isNew && answer) setWords(`The assistant said: ${contentOf(answer.object)}`);
  }, [answer, loading]);
  return (
    <p className="visually-hidden" role="status" aria-live="polite">
      {words}
    </p>
  );
}
