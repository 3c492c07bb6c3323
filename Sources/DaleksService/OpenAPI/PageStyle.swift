/// How the pages of services look.
public enum PageStyle {
    /// Colours keep a contrast of at least 4.5 to 1 in both themes.
    public static let text = """
        :root {
          color-scheme: light dark;
          --ground: #f4f2ee; --card: #ffffff; --ink: #1d2329; --soft: #55606b; --line: #cfd4d9;
          --accent: #0b5a7d; --accent-ink: #ffffff; --danger: #a31d1d; --well: #e8f1ea; --ill: #fbeaea;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --ground: #14181c; --card: #1d2329; --ink: #e9edf0; --soft: #a7b1ba; --line: #3a444d;
            --accent: #7cc4e6; --accent-ink: #0c1a22; --danger: #ff9b94; --well: #1c3325; --ill: #3a1f1f;
          }
        }
        * { box-sizing: border-box; }
        html { font: 100%/1.5 system-ui, sans-serif; }
        body { margin: 0; padding: 0 1rem 2rem; background: var(--ground); color: var(--ink); }
        header, main, footer { max-width: 26rem; margin: 0 auto; }
        header { display: flex; align-items: center; gap: .6rem; padding: 1.2rem 0; flex-wrap: wrap; }
        .mark { width: 1.4rem; height: 1.4rem; border-radius: .4rem; background: var(--accent); }
        .house { font-weight: 650; letter-spacing: .02em; }
        .person { margin-left: auto; color: var(--soft); overflow-wrap: anywhere; }
        main { background: var(--card); border: 1px solid var(--line); border-radius: .8rem; padding: 1.5rem; }
        main.wide { max-width: 46rem; }
        body:has(main.wide) header, body:has(main.wide) footer { max-width: 46rem; }
        footer { color: var(--soft); font-size: .9rem; padding-top: 1rem; }
        h1 { font-size: 1.4rem; line-height: 1.25; margin: 0 0 1rem; }
        h2 { font-size: 1.1rem; margin: 2rem 0 .6rem; }
        p { margin: 0 0 1rem; }
        label { display: block; font-weight: 600; margin: 0 0 .3rem; }
        .hint { color: var(--soft); font-size: .9rem; font-weight: 400; margin: .3rem 0 0; }
        .field { margin: 0 0 1.1rem; }
        input:not([type=hidden]), select {
          width: 100%; font: inherit; padding: .6rem .7rem; color: inherit; background: var(--card);
          border: 1px solid var(--soft); border-radius: .5rem;
        }
        input.code { font-family: ui-monospace, monospace; letter-spacing: .15em; text-transform: uppercase; }
        button {
          font: inherit; font-weight: 600; min-height: 2.75rem; padding: .5rem 1.2rem; border-radius: .5rem;
          border: 1px solid var(--accent); background: var(--accent); color: var(--accent-ink); cursor: pointer;
        }
        button.second { background: transparent; color: var(--accent); }
        button.danger { background: transparent; border-color: var(--danger); color: var(--danger); }
        .buttons { display: flex; gap: .7rem; flex-wrap: wrap; }
        .buttons button { flex: 1 1 auto; }
        :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
        a { color: var(--accent); }
        .skip { position: absolute; left: -100rem; }
        .skip:focus { left: 1rem; top: 1rem; background: var(--card); padding: .5rem; }
        .notice { padding: .7rem .9rem; border-radius: .5rem; background: var(--well); border: 1px solid var(--line); }
        .notice.error { background: var(--ill); }
        ul.scopes { padding-left: 1.2rem; }
        fieldset { border: 1px solid var(--line); border-radius: .5rem; margin: 0 0 1.1rem; padding: .5rem 1rem; }
        fieldset label { font-weight: 400; }
        input[type=checkbox] { width: auto; }
        ul.list { list-style: none; padding: 0; margin: 0; }
        ul.list > li {
          display: flex; gap: .8rem; align-items: center; flex-wrap: wrap; padding: .8rem 0;
          border-top: 1px solid var(--line);
        }
        ul.list .what { flex: 1 1 14rem; min-width: 0; overflow-wrap: anywhere; }
        code { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
        pre { overflow-x: auto; background: var(--ground); padding: .7rem; border-radius: .5rem; }
        table { border-collapse: collapse; width: 100%; font-size: .95rem; }
        th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0; overflow-wrap: anywhere; }
        details { border-top: 1px solid var(--line); padding: .7rem 0; }
        summary { cursor: pointer; overflow-wrap: anywhere; }
        @media (prefers-reduced-motion: no-preference) { button { transition: opacity .15s; } }
        button:hover { opacity: .88; }

        """
}
