// Keys go to the program; sounds are played here.
(() => {
  const own = { " ": "play-hit", w: "play-around" };
  const others = ["Enter", "Escape", "Backspace", "ArrowLeft", "ArrowRight", "+", "-"];
  let soon = null;

  window.play = (source) => {
    const sound = document.getElementById("sound");
    const silent = document.getElementById("silent");
    silent.textContent = "";
    sound.onerror = () => { silent.textContent = "The sound cannot be played."; };
    sound.src = source; // what was playing stops
    sound.play().catch(() => {}); // before the first key, browsers forbid it
  };
  // Until a hit's picture is there, none is seen: that of another hit would be taken for its.
  window.look = (source) => {
    const picture = document.querySelector(".picture");
    picture.style.visibility = "hidden";
    picture.onload = () => { picture.style.visibility = "visible"; };
    // It was passed, and not drawn, and then come back to: once more.
    picture.onerror = () => {
      picture.onerror = null;
      setTimeout(() => { if (picture.src.endsWith(source)) picture.src = `${source}?again`; }, 300);
    };
    picture.src = source;
  };
  window.fetchSoon = (...sources) => {
    soon?.abort(); // of a hit that was passed meanwhile
    soon = new AbortController();
    for (const source of sources) fetch(source, { signal: soon.signal }).catch(() => {});
  };
  // A key means the hit that is seen, and says which that is.
  window.press = (key) => {
    if (!window.socket?.connected) return;
    emitEvent("press", [key, Number(document.querySelector(".hit").dataset.hit)]);
  };

  const keyOf = (event) => {
    if (event.key.length > 1) return event.key;
    const key = event.key.toLowerCase();
    if (/^[a-z0-9 +-]$/.test(key)) return key;
    // Other alphabets, and digits that want Shift: the key at that place.
    return /^(?:Key|Digit)(.)$/.exec(event.code)?.[1].toLowerCase() ?? key;
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target;
    if (target.matches("input, textarea, select")) return;
    // Who walks the page by Tab presses its buttons and links by Enter and Space.
    const walked = target.matches("button:focus-visible, a:focus-visible");
    if (walked && (event.key === "Enter" || event.key === " ")) return;
    const key = keyOf(event);
    if (own[key]) {
      event.preventDefault();
      if (!event.repeat) document.getElementById(own[key]).click();
    } else if (others.includes(key) || /^[a-z0-9]$/.test(key)) {
      event.preventDefault();
      if (!event.repeat) press(key); // a key held down labels one hit, not all
    }
  });
  // The mouse gives nothing the focus: keys stay keys, not presses of what was clicked last.
  document.addEventListener("mousedown", (event) => {
    if (!event.target.closest?.("button, a")) return;
    event.preventDefault();
    document.activeElement?.blur();
  });
})();
