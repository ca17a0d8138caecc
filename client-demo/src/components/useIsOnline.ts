import { LOBBY } from "../store/state";
import { useStore } from "../store/store";

/** Whether somebody is on the server, with any device; undefined while there is no connection to tell. */
export function useIsOnline(userId: string): boolean | undefined {
  return useStore((state) =>
    state.connection.status === "online"
      ? (state.rooms.get(LOBBY)?.users.some((user) => user.id === userId) ?? false)
      : undefined,
  );
}
