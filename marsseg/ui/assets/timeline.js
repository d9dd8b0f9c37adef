// One list entry an event. Causes may hold what people typed, so all of it is set as text, never as markup.
export default function ({ data, parentElement }) {
  parentElement.querySelector(".timeline").replaceChildren(...data.items.flatMap(entries));
}

function entries(item) {
  const heading = item.day ? [element("li", "day", [element("span", "", [item.day])])] : [];
  return [...heading, entry(item)];
}

function entry(item) {
  const mark = element("span", item.icon ? "mark state" : "mark", [item.icon]);
  mark.setAttribute("aria-hidden", "true");
  const title = element("div", "title", [
    element("strong", "", [item.kind]),
    item.attempt > 1 ? element("span", "attempt", [`attempt ${item.attempt}`]) : "",
    item.lasted ? element("span", "lasted", [item.lasted]) : "",
  ]);
  const cause = element("div", "cause", [item.cause]);
  const body = element("div", item.icon ? "body" : "body minor", [title, cause]);
  const row = element("li", "event", [element("time", "", [item.time]), mark, body]);
  row.style.setProperty("--tone", `var(--st-${item.color}-color)`);
  return row;
}

function element(name, className, children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}
