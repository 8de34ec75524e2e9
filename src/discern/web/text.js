// Numbers, counts and elements as text.

export function percent(share) {
  const value = 100 * share;
  if (value >= 99.95 && share < 1) return ">99.9\u202f%";
  if (value < 0.1 && share > 0) return "<0.1\u202f%";
  return `${(value > 99 && value < 100) || (value > 0 && value < 1) ? value.toFixed(1) : value.toFixed(0)}\u202f%`;
}

export function countOf(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
