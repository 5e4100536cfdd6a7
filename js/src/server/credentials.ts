/** What a device showed: the head of its HTTP request, read for `authenticate`. */
import type { IncomingHttpHeaders } from "node:http";
import type { AuthenticateRequest } from "./types.js";

/** Headers by their names in small letters; several of one name are joined, as Node does. */
function headersOf(lines: readonly string[]): IncomingHttpHeaders {
  const headers: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = headers[name];
    const between = name === "cookie" ? "; " : ", ";
    headers[name] = before === undefined ? value : before + between + value;
  }
  return headers;
}

/** The request as an application sees it. */
export function requestOf(token: string, remote: string, head: string): AuthenticateRequest {
  const [first = "", ...lines] = head.split("\r\n");
  return {
    token,
    remoteAddress: remote,
    url: first.split(" ")[1] ?? "",
    headers: headersOf(lines),
  };
}
