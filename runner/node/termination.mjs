/**
 * SIGTERM, for who wants to be told of it. Until somebody does, it ends the process, whatever that
 * does; with something to be saved, it ends it as soon as that is saved.
 */

const SIGNAL = "SIGTERM";

export class Termination {
  /** Whether it has come since somebody listens. */ come = false;
  /** Milliseconds since the epoch after which there is no time left either. */ until = Infinity;
  /** Whether somebody is told, and the process goes on. */ watched = false;
  /** Whether the handler knows that it has come, and so may have ended early. */ seen = false;
  /** @type {((goesOn: boolean) => void) | undefined} */ #save;
  /** @type {(() => void)[]} */ #told = [];
  #listening = false;
  #heard = () => this.#hear();

  /** The process goes on when SIGTERM comes. @param {() => void} [tell] is called then. */
  watch(tell) {
    this.watched = true;
    if (tell) this.#told.push(tell);
    this.#listen();
  }

  /**
   * Something is to be saved first; `undefined`: nothing is any more.
   * @param {((goesOn: boolean) => void) | undefined} save is called when SIGTERM comes.
   */
  saving(save) {
    this.#save = save;
    if (save) this.#listen();
    else if (!this.watched) this.#unlisten();
  }

  #listen() {
    if (this.#listening) return;
    this.#listening = true;
    process.on(SIGNAL, this.#heard);
  }

  #unlisten() {
    if (!this.#listening) return;
    this.#listening = false;
    process.removeListener(SIGNAL, this.#heard);
  }

  /** It was sent: it is lost if it came while a listener was taken away. */
  sent() {
    if (!this.come) this.#hear();
  }

  #hear() {
    const first = !this.come;
    this.come = true;
    // Somebody else may listen, by himself: then it is his.
    const goesOn = this.watched || process.listenerCount(SIGNAL) > 1;
    this.#save?.(goesOn);
    if (!goesOn) {
      this.#unlisten();
      process.kill(process.pid, SIGNAL);
    }
    if (first) for (const tell of this.#told) tell();
  }
}
