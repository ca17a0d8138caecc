/// <reference types="vite/client" />

interface ImportMetaEnv {
  /** The server's address when it is not the page's own, e.g. `https://chat.example.org`. */
  readonly VITE_SOCKEYE_URL?: string;
}
