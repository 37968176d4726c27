for (const table of document.querySelectorAll("table.every")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    const key = (row) => row.cells[column].dataset.key;
    const number = (text) => Number(text.replace("inf", "Infinity"));
    const compare = (a, b) => column === 0 ? a.localeCompare(b, undefined, { numeric: true }) : number(a) - number(b) || 0;
    const order = (a, b) => {
      const [x, y] = [key(a), key(b)];
      if (!x || !y) return !x - !y; // what has no value stays at the end
      return sign * compare(x, y);
    };
    body.append(...[...body.rows].sort(order));
  }));
}
