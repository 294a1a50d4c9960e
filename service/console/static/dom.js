// Elements from plain values. Text goes in as text: nothing a model wrote is ever read as markup.

export const byId = (id) => document.getElementById(id);

/** An element with attributes and children; a child that is not an element becomes text, null is left out. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, String(value));
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** Puts children in place of what is there. */
export function fill(target, ...children) {
  target.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
}

export const hidden = (text) => el("span", { class: "sr-only" }, text);
export const icon = (mark) => el("span", { class: "icon", "aria-hidden": "true" }, mark);
