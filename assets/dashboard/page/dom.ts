/** An element with attributes and children; text is always text, never markup. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** What is a picture to the eye and noise to a screen reader. */
export const decoration = (text: string, className = ""): HTMLElement =>
  h("span", { "aria-hidden": "true", ...(className && { class: className }) }, text);

export interface Option {
  readonly value: string;
  readonly text: string;
}

/** Options of a select, replaced only when they differ, so that an open list isn't shut under someone's hand. */
export function setOptions(select: HTMLSelectElement, options: readonly Option[], chosen: string): void {
  const wanted = JSON.stringify(options);
  if (select.dataset.options !== wanted) {
    select.replaceChildren(...options.map(({ value, text }) => h("option", { value }, text)));
    select.dataset.options = wanted;
  }
  if (select.value !== chosen) select.value = chosen;
}

let fields = 0;

/** A select with its label. */
export function labelled(label: string, select: HTMLSelectElement): HTMLElement {
  fields += 1;
  select.id = `field-${fields}`;
  return h("div", { class: "field" }, h("label", { for: select.id }, label), select);
}

/** Sets text only when it differs, so that a live region speaks only when something happened. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
