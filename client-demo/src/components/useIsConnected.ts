import { useStore } from "../store/store";

/** Whether there is a connection. Without one, what is known of others is what was true when it broke. */
export function useIsConnected(): boolean {
  return useStore((state) => state.connection.status === "online");
}
