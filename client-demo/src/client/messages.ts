import { dispatch } from "../store/store";
import type { Message } from "../wire";
import { asFailure, ask } from "./ask";

/** Replaces a message's text and keeps what else its body holds. Null when done, else why not. */
export async function editMessage({ id, body }: Message, text: string): Promise<string | null> {
  try {
    const message = await ask("edit-message", { ...body, text, id });
    dispatch({ type: "message-answered", message });
    return null;
  } catch (error) {
    return asFailure(error).message;
  }
}

/** Null when done, else why not. */
export async function deleteMessage({ id }: Message): Promise<string | null> {
  try {
    const message = await ask("delete-message", { id });
    dispatch({ type: "message-answered", message });
    return null;
  } catch (error) {
    return asFailure(error).message;
  }
}
