// Numbers and counts as text, and elements.

export const by = (id) => document.getElementById(id);

export function percent(share, language = "en") {
  const value = 100 * share;
  const write = (number, digits) =>
    `${number.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits })}\u202f%`;
  if (value >= 99.95 && share < 1) return `>${write(99.9, 1)}`;
  if (value < 0.1 && share > 0) return `<${write(0.1, 1)}`;
  return write(value, (value > 99 && value < 100) || (value > 0 && value < 1) ? 1 : 0);
}

export function countOf(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
