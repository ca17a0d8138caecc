import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/layout.css";
import "./styles/sign-in.css";
import "./styles/sidebar.css";
import "./styles/conversation.css";
import "./styles/messages.css";
import "./styles/actions.css";
import "./styles/composer.css";
import "./styles/people.css";
import "./styles/modal.css";
import "./styles/forced-colors.css";

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./App";
import { restore } from "./client/session";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");

restore();
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
