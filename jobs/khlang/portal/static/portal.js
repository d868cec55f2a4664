// Sending a zip in pieces: dropped or chosen, carried on after a lost line, a reload or a restart of the server.
"use strict";
(() => {
  const form = document.getElementById("send");
  if (!form) return;
  const [input, drop, progress] = [form.querySelector("#zip"), form.querySelector(".drop"), form.querySelector("#progress")];
  const [bar, said, named] = [form.querySelector("#bar"), form.querySelector("#said"), form.querySelector("#file-name")];
  const words = JSON.parse(form.dataset.words);
  const PIECE = Number(form.dataset.piece);
  const MOST = Number(form.dataset.most);
  const LONGEST_PAUSE = 30;
  let busy = false;
  let stopped = false;
  let running = null;
  let wake = null;
  document.documentElement.classList.add("js");

  const say = (text, english, trouble = false) => {
    said.replaceChildren(document.createTextNode(text + " "));
    const small = document.createElement("span");
    small.className = "en";
    small.lang = "en";
    small.textContent = english;
    said.append(small);
    said.classList.toggle("trouble", trouble);
  };
  const sayWords = (told, trouble = false) => say(told.th, told.en, trouble);
  const size = (count) => (count >= 1 << 20 ? (count / (1 << 20)).toFixed(1) + " MB" : Math.ceil(count / 1024) + " kB");
  const keyOf = (file) => ["khlang-upload", form.dataset.facility, file.name, file.size, file.lastModified].join("/");

  class Refused extends Error {}

  // One request; resolves with status, offset and body, rejects when the line is lost.
  const ask = (method, place, body, headers = {}, sent = null) =>
    new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      running = request;
      request.open(method, place);
      request.setRequestHeader("X-Token", form.dataset.token);
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      if (sent) request.upload.onprogress = (event) => sent(event.loaded);
      request.timeout = 600000;
      request.onload = () => resolve({ status: request.status, offset: request.getResponseHeader("Upload-Offset"), text: request.responseText });
      request.onerror = request.ontimeout = () => reject(new Error("lost"));
      request.onabort = () => reject(new Error("stopped"));
      request.send(body);
    });

  const reasonOf = (answer) => {
    if (answer.status === 401) return "signed_out";
    try {
      return JSON.parse(answer.text).refused || "";
    } catch {
      return "";
    }
  };

  const refuse = (answer) => {
    const told = words.refused[reasonOf(answer)];
    if (told) throw new Refused(JSON.stringify(told));
    if (answer.status < 500) throw new Refused(JSON.stringify(words.sending.failed));
    throw new Error("lost"); // the server is down or starting: try again
  };

  const show = (offset, file) => {
    bar.value = Math.floor((offset / file.size) * 1000);
    const share = `${Math.floor((offset / file.size) * 100)} % · ${size(offset)} / ${size(file.size)}`;
    say(`${words.sending.sent.th} ${share}`, words.sending.sent.en);
  };

  // Where it stopped, if the server still knows it; else a new upload.
  const locate = async (file) => {
    const known = localStorage.getItem(keyOf(file));
    if (known) {
      const answer = await ask("HEAD", `/uploads/${known}`);
      if (answer.status === 200) return { id: known, offset: Number(answer.offset) };
      if (answer.status !== 404) refuse(answer);
      localStorage.removeItem(keyOf(file));
    }
    const answer = await ask("POST", "/uploads", JSON.stringify({ name: file.name, size: file.size }), { "Content-Type": "application/json" });
    if (answer.status !== 201) refuse(answer);
    const id = JSON.parse(answer.text).id;
    localStorage.setItem(keyOf(file), id);
    return { id, offset: 0 };
  };

  const pause = async (tries) => {
    for (let left = Math.min(LONGEST_PAUSE, 2 ** (tries - 1)); left > 0 && !stopped; left -= 1) {
      const { lost, seconds } = words.sending;
      say(`${lost.th} ${left} ${seconds.th}`, `${lost.en} ${left} ${seconds.en}`, true);
      const online = await new Promise((resolve) => {
        const timer = setTimeout(() => resolve(false), 1000);
        wake = () => { clearTimeout(timer); resolve(true); };
      });
      if (online) return;
    }
  };

  const carry = async (file) => {
    let at = null;
    let tries = 0;
    while (!stopped) {
      try {
        if (at === null) {
          at = await locate(file);
          if (at.offset) sayWords(words.sending.resumed);
        }
        while (at.offset < file.size) {
          const piece = file.slice(at.offset, at.offset + PIECE);
          const headers = { "Upload-Offset": String(at.offset), "Content-Type": "application/offset+octet-stream" };
          const answer = await ask("PATCH", `/uploads/${at.id}`, piece, headers, (sent) => show(at.offset + sent, file));
          if (answer.status === 409 || answer.status === 404) throw new Error("offset"); // ask where it stands
          if (answer.status !== 204) refuse(answer);
          at.offset = Number(answer.offset);
          show(at.offset, file);
          tries = 0;
        }
        localStorage.removeItem(keyOf(file));
        return at.id;
      } catch (error) {
        if (error instanceof Refused) throw error;
        if (stopped) break;
        at = null;
        tries += 1;
        await pause(tries);
      }
    }
    return null;
  };

  const leave = (event) => event.preventDefault();

  const begin = async (file) => {
    if (busy || !file) return;
    progress.hidden = false;
    named.textContent = file.name;
    if (!file.name.toLowerCase().endsWith(".zip")) return sayWords(words.sending.not_zip, true);
    if (!file.size) return sayWords(words.refused.empty, true);
    if (file.size > MOST) return sayWords(words.refused.large, true);
    [busy, stopped] = [true, false];
    form.classList.add("sending");
    window.addEventListener("beforeunload", leave);
    sayWords(words.sending.begin);
    try {
      const id = await carry(file);
      if (id) {
        bar.value = bar.max;
        sayWords(words.sending.finished);
        window.removeEventListener("beforeunload", leave);
        location.assign(`/uploads/${id}`);
        return;
      }
      sayWords(words.sending.canceled);
    } catch (error) {
      sayWords(error instanceof Refused ? JSON.parse(error.message) : words.sending.failed, true);
    }
    window.removeEventListener("beforeunload", leave);
    busy = false;
    input.value = "";
    form.classList.remove("sending");
  };

  const cancel = async () => {
    const known = input.files[0] || form.dropped;
    stopped = true;
    if (running) running.abort();
    if (wake) wake();
    const id = known && localStorage.getItem(keyOf(known));
    if (!id) return;
    localStorage.removeItem(keyOf(known));
    await ask("DELETE", `/uploads/${id}`).catch(() => {});
  };

  const chosen = (files) => {
    if (files.length > 1) {
      progress.hidden = false;
      sayWords(words.sending.one, true);
      return;
    }
    form.dropped = files[0];
    begin(files[0]);
  };

  input.addEventListener("change", () => chosen(input.files));
  form.addEventListener("submit", (event) => { event.preventDefault(); chosen(input.files); });
  form.querySelector("#cancel").addEventListener("click", cancel);
  window.addEventListener("online", () => wake && wake());
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
      if (name === "drop" && event.dataTransfer) chosen(event.dataTransfer.files);
    });
  }
})();
