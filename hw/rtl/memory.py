"""Floor 2a: memories of blocks (`hw.plan.memory`)."""

from __future__ import annotations

from amaranth.hdl import Cat, ClockSignal, Instance, Module, ResetSignal, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.plan.memory import MemoryBank, MemoryPlan
from hw.rtl.library import Library

PREFIX = "bank_"


class BlockMemory(wiring.Component):
    """Banks side by side.

    Ports and protocol: `hw.design.memory.Memory`. Latency 1 cycle, initiation interval 1; `rst`
    keeps writes out; nothing overflows.
    """

    def __init__(self, plan: MemoryPlan) -> None:
        self.plan = plan
        design = plan.design
        super().__init__(
            {
                "write_enable": In(1),
                "write_address": In(design.address_bits),
                "write_data": In(design.width),
                "read_address": In(design.address_bits),
                "read_data": Out(design.width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Connect the banks."""
        m = Module()
        write = Signal()
        m.d.comb += write.eq(self.write_enable & ~ResetSignal())
        words, start = [], 0
        for number, bank in enumerate(self.plan.banks):
            word = Signal(bank.width, name=f"word_{number}")
            data = self.write_data[start : start + bank.width]
            if isinstance(platform, Library):
                self._block(m, platform, number, bank, write, data, word)
            else:
                self._plain(m, number, bank, write, data, word)
            words.append(word)
            start += bank.width
        m.d.comb += self.read_data.eq(Cat(*words))
        return m

    def _block(
        self,
        m: Module,
        library: Library,
        number: int,
        bank: MemoryBank,
        write: Signal,
        data: object,
        word: Signal,
    ) -> None:
        m.submodules[f"bank_{number}"] = Instance(
            library.primitive(f"{PREFIX}{bank.width}x{bank.depth}"),
            i_clk=ClockSignal(),
            i_write_enable=write,
            i_write_address=self.write_address,
            i_write_data=data,
            i_read_address=self.read_address,
            o_read_data=word,
        )

    def _plain(
        self, m: Module, number: int, bank: MemoryBank, write: Signal, data: object, word: Signal
    ) -> None:
        """Add a bank as Amaranth's own memory, in a design of a user's."""
        words = memory.Memory(shape=bank.width, depth=bank.depth, init=[])
        m.submodules[f"bank_{number}"] = words
        written, read = words.write_port(), words.read_port()
        m.d.comb += [
            written.en.eq(write),
            written.addr.eq(self.write_address),
            written.data.eq(data),
            read.addr.eq(self.read_address),
            read.en.eq(1),
            word.eq(read.data),
        ]


_MODEL = """
(* keep_hierarchy *)
module {name}(clk, write_enable, write_address, write_data, read_address, read_data);
  input clk;
  input write_enable;
  input [{address}:0] write_address;
  input [{bit}:0] write_data;
  input [{address}:0] read_address;
  output [{bit}:0] read_data;
  (* ram_style = "block" *)
  reg [{bit}:0] words [0:{last}];
  reg [{bit}:0] read_data;
  always @(posedge clk) begin
    if (write_enable)
      words[write_address] <= write_data;
    read_data <= words[read_address];
`ifdef SYNTHESIS
    if (write_enable && write_address == read_address)
      read_data <= {width}'bx;
`endif
  end
endmodule
"""


def model(kind: str, name: str) -> str:
    """Return the Verilog of a bank.

    What is read while it is written is undefined where a block is made of it, or the synthesiser
    would add logic that gives the old word.
    """
    width, depth = map(int, kind.removeprefix(PREFIX).split("x"))
    return _MODEL.format(
        name=name,
        width=width,
        bit=width - 1,
        address=(depth - 1).bit_length() - 1,
        last=depth - 1,
    )
