// Puts drawing and key into the page itself, where they take the page's colours. Python made and escaped them.
export default function ({ data, parentElement }) {
  parentElement.querySelector(".drawing").replaceChildren(picture(data.svg));
  parentElement.querySelector(".key").replaceChildren(...data.key.map(entry));
}

function entry({ mark, words }) {
  const item = document.createElement("li");
  if (mark) item.append(picture(mark));
  item.append(words);
  return item;
}

function picture(svg) {
  const drawing = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
  if (drawing.nodeName !== "svg") throw new Error("The network's drawing is not well-formed.");
  return document.importNode(drawing, true);
}
