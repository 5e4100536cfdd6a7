import { memo } from "react";
import type { SyncRecord } from "syncdb/client";
import { reasonOf } from "./errors.js";
import { BinIcon, ClockIcon, WarningIcon } from "./icons.js";
import type { ChatMessage } from "./stores.js";
import { clock, wholeTime } from "./time.js";
import { contentOf, isOwn, timeOf } from "./view.js";

export interface MessageActions {
  readonly onRemove: (record: SyncRecord<ChatMessage>) => void;
  readonly onRetry: (record: SyncRecord<ChatMessage>) => void;
  readonly onDiscard: (record: SyncRecord<ChatMessage>) => void;
}

interface MessageProps extends MessageActions {
  readonly record: SyncRecord<ChatMessage>;
}

/** Where a message is on its way: as high in every state, so that nothing moves. */
function Meta({ record, onRemove }: Pick<MessageProps, "record" | "onRemove">) {
  const { state, object } = record;
  const time = timeOf(object);
  return (
    <p className="meta">
      {state === "pending" && (
        <span className="meta-state">
          <ClockIcon />
          Sending
        </span>
      )}
      {state === "partial" && <span className="meta-state">Writing</span>}
      {state === "synced" && (
        <time dateTime={new Date(time).toISOString()} title={wholeTime(time)}>
          {clock(time)}
        </time>
      )}
      {isOwn(object) && state === "synced" && (
        <button
          type="button"
          className="remove"
          aria-label="Delete this message"
          title="Delete"
          onClick={() => onRemove(record)}
        >
          <BinIcon />
        </button>
      )}
    </p>
  );
}

function Failure({ record, onRetry, onDiscard }: Omit<MessageProps, "onRemove">) {
  return (
    <div className="failure">
      <p>
        <WarningIcon />
        <span>Not sent: {reasonOf(record.error)}</span>
      </p>
      <button type="button" onClick={() => onRetry(record)}>
        Retry
      </button>
      <button type="button" className="quiet" onClick={() => onDiscard(record)}>
        Discard
      </button>
    </div>
  );
}

/** One message. Drawn again only when its record is another. */
export const Message = memo(function Message({ record, onRemove, ...actions }: MessageProps) {
  const { state, object } = record;
  const own = isOwn(object);
  return (
    <li
      className={`message ${own ? "own" : "other"} ${state}`}
      data-key={record.key}
      data-state={state}
      aria-busy={state === "partial"}
    >
      <p className="visually-hidden">{own ? "You said:" : "The assistant said:"}</p>
      <div className="bubble">{contentOf(object)}</div>
      {state === "failed" ? (
        <Failure record={record} {...actions} />
      ) : (
        <Meta record={record} onRemove={onRemove} />
      )}
    </li>
  );
});
