import type { RoomPage } from "../wire";
import { read } from "./api";
import { asFailure } from "./ask";

/** Rooms that one may enter, in the order of their names: those that begin with a prefix, after another one. */
export function findRooms(prefix: string, after?: string): Promise<RoomPage> {
  return read<RoomPage>("/api/rooms", { prefix, ...(after !== undefined && { after }) });
}

/** Whether the server lets nobody in by name alone. False where that cannot be told before one has tried. */
export async function wantsToken(): Promise<boolean> {
  try {
    await read<RoomPage>("/api/rooms", { limit: "1" });
    return false;
  } catch (error) {
    return asFailure(error).code === "unauthorized";
  }
}
