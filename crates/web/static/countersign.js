"use strict";

(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const RUNS = [
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
  ];

  function shape(tag, attributes, ...children) {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  function eye() {
    return shape(
      "svg",
      {
        viewBox: "0 0 24 24", width: "20", height: "20", fill: "none", stroke: "currentColor",
        "stroke-width": "1.75", "stroke-linecap": "round", "stroke-linejoin": "round",
        "aria-hidden": "true", focusable: "false",
      },
      shape("path", { d: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12z" }),
      shape("circle", { cx: "12", cy: "12", r: "3" }),
      shape("path", { d: "M4 4l16 16", class: "slash" }),
    );
  }

  function addReveal(input) {
    const button = document.createElement("button");
    button.type = "button";
    // The name stays; aria-pressed alone says which way it is switched.
    button.setAttribute("aria-label", "Show password");
    button.setAttribute("aria-pressed", "false");
    button.setAttribute("aria-controls", input.id);
    button.title = "Show password";
    button.append(eye());

    const show = (shown) => {
      input.type = shown ? "text" : "password";
      button.setAttribute("aria-pressed", String(shown));
    };
    button.addEventListener("click", () => show(input.type === "password"));
    // A shown password must not end up among the browser's remembered text entries.
    if (input.form) input.form.addEventListener("submit", () => show(false));
    window.addEventListener("pagehide", () => show(false));

    input.after(button);
    input.parentElement.classList.add("joined");
  }

  // The server's rules in its order, but for its lists of common passwords and of the site's words.
  function isRepetitive(chars) {
    if (new Set(chars).size < 4) return true;
    for (let size = 1; size <= Math.min(chars.length / 2, 8); size += 1) {
      if (chars.every((char, i) => char === chars[i % size])) return true;
    }
    return false;
  }

  function isSequence(chars) {
    const follows = (a, b) => RUNS.some((run) => run.includes(a + b) || run.includes(b + a));
    const steps = chars.slice(1).filter((char, i) => follows(chars[i], char)).length;
    return steps * 5 >= (chars.length - 1) * 4;
  }

  function isPersonal(folded, known) {
    const words = known
      .map((text) => text.normalize("NFKC").toLowerCase())
      .flatMap((text) => [text, ...text.split(/[^\p{L}\p{N}]+/u)])
      .filter((word) => [...word].length >= 3)
      .sort((a, b) => b.length - a.length);
    const rest = words.reduce((left, word) => left.split(word).join(""), folded);
    return [...rest].length < 8;
  }

  function judge(password, { min, max, known }) {
    const folded = password.normalize("NFKC").toLowerCase();
    const chars = [...folded];
    const length = [...password.normalize("NFKC")].length;
    if (length === 0) return ["", ""];
    if (length < min) {
      const count = `${length} of ${min} characters`;
      return length * 2 < min
        ? ["short", `${count}. Try several unrelated words.`]
        : ["near", count];
    }
    if (length > max) return ["weak", `Too long: ${length} of at most ${max} characters`];
    if (isRepetitive(chars)) return ["weak", "Too repetitive: the same few characters over and over"];
    if (isSequence(chars)) return ["weak", "Too predictable: a run like “1234” or “qwerty”"];
    if (isPersonal(folded, known())) {
      return ["weak", "Too easy to guess: mostly your own email address or username"];
    }
    const words = folded.split(/[^\p{L}\p{N}]+/u).filter((word) => word.length >= 3);
    const varied = new Set(words).size >= 4 || new Set(chars).size >= 12;
    return length >= min + 5 && varied
      ? ["good", "Long enough, and varied"]
      : ["fair", "Long enough. One more word is better still."];
  }

  function addStrength(input) {
    const hint = document.createElement("p");
    hint.className = "strength";
    hint.id = `${input.id}-strength`;
    hint.setAttribute("aria-live", "polite");
    (input.closest(".field") ?? input.parentElement).append(hint);

    const valueOf = (selector) => input.form?.querySelector(selector)?.value ?? "";
    const limits = {
      min: Number(input.dataset.minLength),
      max: Number(input.dataset.maxLength) || Infinity,
      known: () => [
        valueOf("input[type=email]"),
        input.dataset.username || valueOf("input[name=username]"),
      ],
    };

    // A pause in typing comes first, so that a screen reader is not interrupted at every key.
    let timer = 0;
    const update = () => {
      const [level, text] = judge(input.value, limits);
      hint.dataset.level = level;
      if (hint.textContent !== text) hint.textContent = text;
    };
    // The server's errors speak of the password sent before, no longer of the one being typed.
    const dropErrors = () => {
      document.getElementById(`${input.id}-error`)?.remove();
      input.removeAttribute("aria-invalid");
    };
    input.addEventListener("input", dropErrors, { once: true });
    input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(update, 250);
    });
  }

  function setSending(form, sending) {
    for (const button of form.querySelectorAll("button[type=submit]")) button.disabled = sending;
  }

  function sendOnce(form) {
    form.addEventListener("submit", (event) => {
      if (event.defaultPrevented) return;
      setSending(form, true);
      // Whoever stops the page from loading gets the button back.
      setTimeout(() => setSending(form, false), 10000);
    });
  }

  for (const input of document.querySelectorAll("input[type=password][data-reveal]")) addReveal(input);
  for (const input of document.querySelectorAll("input[data-min-length]")) addStrength(input);

  const forms = document.querySelectorAll("form[data-once]");
  forms.forEach(sendOnce);
  // Coming back restores the page as it was left, with its button disabled.
  window.addEventListener("pageshow", () => forms.forEach((form) => setSending(form, false)));
})();
