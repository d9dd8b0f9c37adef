// Puts the drawing into the page itself, where it takes the page's colours. Python made and escaped it.
export default function ({ data, parentElement }) {
  const place = parentElement.querySelector(".diagram");
  const drawing = new DOMParser().parseFromString(data.svg, "image/svg+xml").documentElement;
  if (drawing.nodeName !== "svg") throw new Error("The network's drawing is not well-formed.");
  place.replaceChildren(document.importNode(drawing, true));
}
