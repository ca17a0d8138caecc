import { LOBBY } from "../store/state";
import { useStore } from "../store/store";

/** Whether somebody is on the server, with any device. */
export function useIsOnline(userId: string): boolean {
  return useStore((state) => state.rooms.get(LOBBY)?.users.some((user) => user.id === userId) ?? false);
}
