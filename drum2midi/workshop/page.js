// Keys go to the program; sounds are played here.
(() => {
  const own = { " ": "play-hit", w: "play-around" };
  const others = ["Enter", "Escape", "Backspace", "ArrowLeft", "ArrowRight", "+", "-"];
  let playing = null;

  window.play = (source) => {
    if (playing) playing.pause();
    playing = document.getElementById("sound");
    playing.src = source;
    playing.play().catch(() => {}); // before the first key, browsers forbid it
  };
  window.fetchSoon = (...sources) => {
    for (const source of sources) fetch(source).catch(() => {});
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target;
    if (target.matches("input, textarea, select")) return;
    // Who walks the page by Tab presses its buttons and links by Enter and Space.
    const walked = target.matches("button:focus-visible, a:focus-visible");
    if (walked && (event.key === "Enter" || event.key === " ")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (own[key]) {
      event.preventDefault();
      if (!event.repeat) document.getElementById(own[key]).click();
    } else if (others.includes(key) || /^[a-z0-9]$/.test(key)) {
      event.preventDefault();
      if (!event.repeat) emitEvent("press", key); // a key held down labels one hit, not all
    }
  });
  // After a click, keys are keys again, not presses of the button that was clicked.
  document.addEventListener("click", (event) => {
    if (event.detail > 0) event.target.closest?.("button")?.blur();
  });
})();
