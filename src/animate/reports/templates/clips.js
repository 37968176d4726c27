// Controls cover half of a small clip, so clips play by themselves and controls come when they are wanted.
if (!matchMedia("(prefers-reduced-motion: reduce)").matches) {
  for (const video of document.querySelectorAll("figure video")) {
    const show = (wanted) => () => { video.controls = wanted; };
    for (const event of ["pointerenter", "focus"]) video.addEventListener(event, show(true));
    for (const event of ["pointerleave", "blur"]) video.addEventListener(event, show(false));
    video.tabIndex = 0;
    video.controls = false;
    video.play().catch(show(true));
  }
}
