import { useEffect } from "react";

import { start } from "./client/session";
import { Shell } from "./components/Shell";
import { SignIn } from "./components/SignIn";
import { useStore } from "./store/store";

export function App() {
  const name = useStore((state) => state.name);

  useEffect(start, []);

  return name === null ? <SignIn /> : <Shell />;
}
