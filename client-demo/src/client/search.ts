import type { FoundMessages } from "../wire";
import { ask } from "./ask";

/** The newest messages with all words of a text, in all rooms that one may enter; those older than a message. */
export function searchMessages(text: string, before?: string): Promise<FoundMessages> {
  return ask("search-messages", { text, limit: 20, ...(before !== undefined && { before }) });
}
