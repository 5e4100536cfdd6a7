/** Drawings. They say nothing that a word beside them or a label does not. */
import type { ReactNode } from "react";

function Icon({ children }: { readonly children: ReactNode }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

export const Mark = () => (
  <svg className="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <path
      d="M16 4C8.8 4 3 8.9 3 15c0 3.4 1.8 6.4 4.7 8.4L7 29l6-3.3c1 .2 2 .3 3 .3
        7.2 0 13-4.9 13-11S23.2 4 16 4Z"
    />
    <g className="mark-dots">
      <circle cx="10.5" cy="15" r="1.8" />
      <circle cx="16" cy="15" r="1.8" />
      <circle cx="21.5" cy="15" r="1.8" />
    </g>
  </svg>
);

export const SendIcon = () => (
  <Icon>
    <path d="M12 19V5M6 11l6-6 6 6" />
  </Icon>
);

export const DownIcon = () => (
  <Icon>
    <path d="M12 5v14M6 13l6 6 6-6" />
  </Icon>
);

export const PencilIcon = () => (
  <Icon>
    <path d="m4 20 1-4L16 5l3 3L8 19l-4 1ZM14 7l3 3" />
  </Icon>
);

export const BinIcon = () => (
  <Icon>
    <path d="M5 7h14M10 7V5h4v2M7 7l1 12h8l1-12M10.5 11v5M13.5 11v5" />
  </Icon>
);

export const ClockIcon = () => (
  <Icon>
    <circle cx="12" cy="12" r="8" />
    <path d="M12 7.5V12l3 2" />
  </Icon>
);

export const WarningIcon = () => (
  <Icon>
    <path d="M12 4 3 19.5h18L12 4ZM12 10v4.5M12 17v.2" />
  </Icon>
);

export const CloudOffIcon = () => (
  <Icon>
    <path d="M7 18a4 4 0 0 1-.5-8A6 6 0 0 1 17.7 9.6 4.3 4.3 0 0 1 17.5 18H7ZM4 4l16 16" />
  </Icon>
);
