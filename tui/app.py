"""The application: six screens on one run, the keys that work everywhere, and the threads at the edge."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.events import ScreenSuspend
from textual.screen import Screen

from tui.edge.tail import Tail
from tui.keys import EVERYWHERE, SCREENS, load_keymap
from tui.messages import Framed, Stood, Told
from tui.model.clock import Clock, parse_seek
from tui.model.frame import Frame
from tui.options import Options
from tui.screens.base import WatchScreen
from tui.screens.table import all_bindings, screens
from tui.seen import Seen
from tui.themes import DARK, THEMES

if TYPE_CHECKING:
    from tui.edge.standing import Watchman

STEP_NS = 1_000_000_000
COLLECT = (20_000, 20, 50)
AT_MOST_HELD_BACK_S = 0.005
SWITCH_S = 0.001
"""A key waits for the thread that reads so long at most."""
STANDING_AFTER_S = 0.3
"""What stands on the machine is looked for after the first picture is there."""
READY_AFTER_S, READY_EVERY_S = 0.6, 0.15
"""Then the screens that nobody has looked at yet are made ready, one after another."""


class WatchApp(App[None]):
    """Shows frames; everything it knows of a run comes in them."""

    TITLE = "vipchaos"
    CSS_PATH = Path(__file__).with_name("vipchaos.tcss")
    ENABLE_COMMAND_PALETTE = True
    BINDINGS = EVERYWHERE  # type: ignore[assignment]

    def __init__(self, options: Options) -> None:
        self.options = options
        super().__init__()
        self.seen = Seen(
            local=options.local, offset_s=options.offset_s, armed=options.armed, read_only=options.read_only
        )
        self.tail: Tail | None = None
        self.watchman: Watchman | None = None
        self.keymap: Mapping[str, str] = {}
        if options.keys is not None:
            self.keymap = load_keymap(options.keys, all_bindings())
            self.set_keymap(dict(self.keymap))
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = options.theme
        for name, screen in screens().items():
            self.add_mode(name, lambda screen=screen: screen(self.seen))  # type: ignore[misc]

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return the colours that a theme of Textual's own does not have."""
        return DARK

    async def on_mount(self) -> None:
        """Show the live screen, and have the run read."""
        await self.switch_mode("live")
        # What lives as long as the program is not to be looked through again and again; frames come and go.
        gc.freeze()
        gc.set_threshold(*COLLECT)
        sys.setswitchinterval(SWITCH_S)
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._told_to_end)
        self.start_reading()

    def _told_to_end(self) -> None:
        """Leave, and give the terminal back: also where a shell has taken it already (tcsetattr(3), SIGTTOU)."""
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        self.exit()

    def delay_update(self, delay: float = 0.05) -> None:
        """Hold drawing back for less than Textual does at a change of screens: ours are complete at once."""
        super().delay_update(min(delay, AT_MOST_HELD_BACK_S))

    def start_reading(self) -> None:
        """Start the threads at the edge; a test that shows frames of its own does not."""
        self.tail = Tail(self.options.run, lambda frame: self.post_message(Framed(frame)), self.options.from_begin)
        self.tail.start()
        self.set_timer(STANDING_AFTER_S, self._start_standing)
        for number, (_, name, _) in enumerate(SCREENS):
            self.set_timer(READY_AFTER_S + number * READY_EVERY_S, partial(self.make_ready, name))

    def make_ready(self, name: str) -> None:
        """Lay a screen out before it is gone to: it is answered in 20 ms then, and not in 60 to 90."""
        if name in self._screen_stacks or not self.is_running:
            return
        self._init_mode(name)
        screen = self._screen_stacks[name][0]
        # It was mounted with the styles of now; Textual would look all of them up again at the first switch to it.
        screen._css_update_count = self._css_update_count  # noqa: SLF001
        screen.post_message(ScreenSuspend())

    def _start_standing(self) -> None:
        from tui.edge.standing import Watchman

        self.watchman = Watchman(
            self.options.inventory,
            self.options.experiments,
            lambda s: self.post_message(Stood(s)),
            self.options.game_days,
        )
        self.watchman.start()

    def on_unmount(self) -> None:
        """End the threads."""
        for thread in (self.tail, self.watchman):
            if thread is not None:
                thread.stop()

    def on_framed(self, message: Framed) -> None:
        """Show a newer picture."""
        self.show_frame(message.frame)

    def show_frame(self, frame: Frame) -> None:
        """Show a frame on the present screen; the others look when they are come to."""
        self.seen.frame = frame
        self.show_all()

    def on_stood(self, message: Stood) -> None:
        """Show a newer list of what stands."""
        self.seen.standing = message.standing
        self.show_all()

    def on_told(self, message: Told) -> None:
        """Tell what has become of something the user asked for."""
        self.notify(message.text, severity="error" if message.bad else "information", markup=False)
        if self.watchman is not None:
            self.watchman.look_now()

    def show_all(self) -> None:
        """Draw the present screen; beneath a dialog, the screen below it."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, WatchScreen):
                screen.show()
                return

    @property
    def front(self) -> WatchScreen | None:
        """The screen that is looked at, where no dialog is over it."""
        return self.screen if isinstance(self.screen, WatchScreen) else None

    # --- keys ---------------------------------------------------------------------------------------------------

    async def action_go(self, name: str) -> None:
        """Go to a screen."""
        if self.front is None:
            return
        while len(self.screen_stack) > 1 and isinstance(self.screen, WatchScreen):
            await self.pop_screen()
        await self.switch_mode(name)

    def action_keys(self) -> None:
        """Show what the keys do here."""
        from tui.dialogs.help import Help
        from tui.widgets.listing import Listing

        front = self.front
        if front is None:
            return
        sections = [(f"Keys of {front.TITLE_WORDS}", front.own_bindings())] if front.own_bindings() else []
        if front.listing is not None:
            sections.append(("Keys of a list", [each for each in Listing.BINDINGS if isinstance(each, Binding)]))
        sections.append(("Keys everywhere", EVERYWHERE))
        self.push_screen(Help(f"{front.TITLE_WORDS}: what the keys do", sections, self.keymap))

    def action_filter(self) -> None:
        """Ask for a filter of the present screen's list."""
        from tui.dialogs.line import Line

        front = self.front
        if front is None or front.listing is None:
            self.notify("this screen has no list to filter", severity="warning")
            return
        names = ", ".join(front.listing.names)
        hint = f"regular expressions; !not; column:value, of {names}"
        self.push_screen(Line("Filter", hint, front.narrow, front.filter_text))

    def _ask(self, change: Callable[[Clock, int, int, bool], Clock]) -> None:
        if self.tail is not None:
            self.tail.ask(change)

    def action_pause(self) -> None:
        """Halt the view, or go on."""

        def change(clock: Clock, viewer_ns: int, present_ns: int, running: bool) -> Clock:
            if clock.paused or clock.over(viewer_ns):
                return clock.go(viewer_ns, running)
            return clock.pause(viewer_ns, present_ns)

        self._ask(change)

    def action_step(self, by: int) -> None:
        """Go a second back or on; the view halts there."""
        step_ns = by * STEP_NS

        def change(clock: Clock, viewer_ns: int, present_ns: int, running: bool) -> Clock:
            del running
            halted = clock.pause(viewer_ns, present_ns)
            return halted.seek((halted.at_ns or present_ns) + step_ns, viewer_ns)

        self._ask(change)

    def action_event(self, by: int) -> None:
        """Go to the fault before or after the instant shown; the view goes on from just before it in a replay."""
        view = self.seen.view
        if view is None or self.tail is None:
            return
        faults = self.tail.fault_instants()

        def change(clock: Clock, viewer_ns: int, present_ns: int, running: bool) -> Clock:
            del running
            shown_ns = clock.now(viewer_ns) or present_ns
            wanted = [t_ns - STEP_NS for t_ns in faults]
            if by < 0:
                to_ns = max((t_ns for t_ns in wanted if t_ns < shown_ns - STEP_NS // 2), default=clock.begin_ns)
            else:
                to_ns = min((t_ns for t_ns in wanted if t_ns > shown_ns), default=clock.end_ns)
            return (clock if clock.at_ns is not None else clock.pause(viewer_ns, present_ns)).seek(to_ns, viewer_ns)

        self._ask(change)

    def action_seek(self) -> None:
        """Ask for an instant."""
        from tui.dialogs.line import Line

        view = self.seen.view
        if view is None or self.front is None:
            return
        zone_offset_ns = self.seen.offset_s * 1_000_000_000 if self.seen.local else 0
        day_ns = 86_400_000_000_000
        begun_ns = view.begun_ns + view.wall_offset_ns + zone_offset_ns
        midnight_ns = begun_ns // day_ns * day_ns - zone_offset_ns

        def found(text: str) -> int | None:
            return parse_seek(text, view.now_ns, view.begun_ns, view.wall_offset_ns, midnight_ns)

        def check(text: str) -> str:
            return "" if found(text) is not None else "no instant: 12:04:30, 1:23 into the run, 83 (seconds), +5 or -5"

        def seek(text: str | None) -> None:
            if text is not None and (to_ns := found(text)) is not None:
                self._ask(lambda clock, viewer, present, _: clock.pause(viewer, present).seek(to_ns, viewer))

        self.push_screen(Line("Go to", "12:04:30 of the day, 1:23 or 83 into the run, +5 or -5 seconds", check), seek)

    def action_speed(self, by: int) -> None:
        """Replay slower or faster."""
        self._ask(lambda clock, viewer, _, running: clock if running else clock.faster(by, viewer))

    def action_zoom(self, by: int) -> None:
        """Show a longer or shorter span of time."""
        self.seen.zoom(by)
        self.show_all()

    def action_zone(self) -> None:
        """Show local time, or UTC."""
        self.seen.local = not self.seen.local
        self.show_all()

    def action_theme(self) -> None:
        """Go on to the next theme."""
        names = [theme.name for theme in THEMES]
        self.theme = names[(names.index(self.theme) + 1) % len(names)] if self.theme in names else names[0]
        self.notify(self.theme, timeout=2)
        self.show_all()

    def action_maximise(self) -> None:
        """Give the whole screen to the part in focus, or to the lanes; once more gives it back."""
        screen = self.screen
        if screen.maximized is not None:
            screen.minimize()
        elif lanes := screen.query("#lanes"):
            screen.maximize(lanes.first())
        elif screen.focused is not None:
            screen.maximize(screen.focused)

    def action_leave(self) -> None:
        """Leave what Enter opened, or a maximised part; on a screen itself, clear the filter."""
        front = self.front
        if front is None:
            return
        if front.maximized is not None:
            front.minimize()
        elif len(self.screen_stack) > 1:
            self.pop_screen()
        elif front.filter_text:
            front.narrow("")

    def action_export(self) -> None:
        """Ask what to export, and write it."""
        from tui.dialogs.export import ExportChoice
        from tui.edge.export import export

        front = self.front
        if front is None or self.seen.read_only:
            return
        listing = front.listing
        names, rows = (listing.names, listing.shown_rows()) if listing else ([], [])
        svg = self.export_screenshot(title="vipchaos")

        def write(kind: str | None) -> None:
            if kind:
                text, bad = export(self.options.exports, self.options.write, kind, front.NAME, svg, names, rows)
                self.post_message(Told(text, bad))

        self.push_screen(ExportChoice(str(self.options.exports)), write)

    def action_kill(self) -> None:
        """Revert everything that is out on this machine and block new faults, at once and without a question."""
        if self.seen.read_only:
            self.notify("read-only: the kill switch is `vipchaos stop` on the machine itself", severity="warning")
            return
        from tui.edge.acting import kill

        self.notify("kill switch: reverting everything", severity="warning", timeout=3)
        kill(lambda text, bad: self.post_message(Told(text, bad)))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer every key of the present screen in the palette."""
        yield from super().get_system_commands(screen)
        front = self.front
        for binding in (*EVERYWHERE, *(front.own_bindings() if front else ())):
            action = binding.action

            async def run(action: str = action) -> None:
                await self.run_action(
                    action, self.screen if hasattr(self.screen, f"action_{action.split('(', maxsplit=1)[0]}") else self
                )

            yield SystemCommand(binding.description, f"key: {self.keymap.get(binding.id or '', binding.key)}", run)
