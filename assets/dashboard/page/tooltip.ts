import { h } from "./dom.ts";

const tip = h("div", { class: "tooltip", "aria-hidden": "true" });

/** What Vega calls with the value of the mark under the pointer. The same is to be read in the panel's table. */
export function showTooltip(_: unknown, event: MouseEvent, __: unknown, value: unknown): void {
  if (value === null || value === undefined || value === "") {
    tip.remove();
    return;
  }
  const entries = typeof value === "object" ? Object.entries(value) : [["", String(value)] as const];
  tip.replaceChildren(
    h("dl", {}, ...entries.flatMap(([name, text]) => [h("dt", {}, String(name)), h("dd", {}, String(text))])),
  );
  document.body.append(tip);
  place(event);
}

/** Beside the pointer, and inside the window. */
function place({ clientX, clientY }: MouseEvent): void {
  const { width, height } = tip.getBoundingClientRect();
  const left = clientX + 14 + width > innerWidth ? clientX - 14 - width : clientX + 14;
  const top = clientY + 14 + height > innerHeight ? clientY - 14 - height : clientY + 14;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${Math.max(4, top)}px`;
}
