import type { KeyboardEvent, Ref } from "react";
import { useId, useImperativeHandle, useLayoutEffect, useRef, useState } from "react";
import { reasonOf } from "./errors.js";
import { SendIcon } from "./icons.js";

export interface ComposerHandle {
  focus(): void;
}

interface ComposerProps {
  readonly ref: Ref<ComposerHandle>;
  /** Rejects with why it cannot be said: then it stays here. */
  readonly onSend: (content: string) => Promise<void>;
}

/** Where a message is written: Enter sends, Shift and Enter begin a new line. */
export function Composer({ ref, onSend }: ComposerProps) {
  const [text, setText] = useState("");
  const [refusal, setRefusal] = useState("");
  const area = useRef<HTMLTextAreaElement>(null);
  const field = useId();
  const problem = useId();

  useImperativeHandle(ref, () => ({ focus: () => area.current?.focus() }), []);

  // As high as what is written, up to the maximum of the style sheet.
  useLayoutEffect(() => {
    const { current } = area;
    if (!current) return;
    current.style.height = "auto";
    current.style.height = `${current.scrollHeight}px`;
  }, [text]);

  async function send() {
    const content = text.trim();
    if (!content) return;
    setText("");
    setRefusal("");
    try {
      await onSend(content);
    } catch (error) {
      setText((now) => now || text);
      setRefusal(`Not sent: ${reasonOf(error)}`);
    }
    area.current?.focus();
  }

  function onKeyDown(event: KeyboardEvent) {
    // Enter that ends a word in an input method is not meant for us.
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    void send();
  }

  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <p id={problem} className="composer-problem" role="alert">
        {refusal}
      </p>
      <div className="composer-box">
        <label className="visually-hidden" htmlFor={field}>
          Message
        </label>
        <textarea
          id={field}
          ref={area}
          rows={1}
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={onKeyDown}
          aria-describedby={problem}
          aria-invalid={refusal !== ""}
          placeholder="Write a message"
          enterKeyHint="send"
          autoFocus
        />
        <button type="submit" className="send" aria-label="Send" disabled={!text.trim()}>
          <SendIcon />
        </button>
      </div>
    </form>
  );
}
