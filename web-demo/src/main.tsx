import "./style/fonts.css";
import "./style/base.css";
import "./style/layout.css";
import "./style/rail.css";
import "./style/note.css";
import "./style/search.css";
import "./style/codes.css";
import "./style/nothing.css";
import "./style/dialogs.css";
import { render } from "preact";
import { Session } from "./app/session.ts";
import { load } from "./app/load.ts";
import { guardNavigation, takeAway } from "./model/guard.ts";
import { App } from "./view/App.tsx";

const session = new Session();
takeAway(window);
guardNavigation(window);
window.addEventListener("beforeunload", (event) => {
  if (session.state.unsaved) event.preventDefault();
});
render(<App session={session} />, document.querySelector("#page")!);
void load(session);
