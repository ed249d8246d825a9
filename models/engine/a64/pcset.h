/* SPDX-License-Identifier: GPL-2.0-or-later
 * A set of block addresses: open addressing, linear probing, at most half full. C++.
 */
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

class PcSet
{
  public:
    PcSet() : slots(1024, FREE)
    {
    }

    bool contains(uint64_t pc) const
    {
        return slots[find(pc)] == pc;
    }

    void insert(uint64_t pc)
    {
        size_t at = find(pc);

        if (slots[at] == pc) {
            return;
        }
        slots[at] = pc;
        if (++used * 2 > slots.size()) {
            grow();
        }
    }

    bool erase(uint64_t pc)
    {
        size_t hole = find(pc), mask = slots.size() - 1;

        if (slots[hole] != pc) {
            return false;
        }
        /* Close the gap: move up whatever would not be found across it. */
        for (size_t at = (hole + 1) & mask; slots[at] != FREE; at = (at + 1) & mask) {
            if (((at - home(slots[at])) & mask) >= ((at - hole) & mask)) {
                slots[hole] = slots[at];
                hole = at;
            }
        }
        slots[hole] = FREE;
        used--;
        return true;
    }

    void clear()
    {
        std::fill(slots.begin(), slots.end(), FREE);
        used = 0;
    }

  private:
    static constexpr uint64_t FREE = 1; /* no block begins at an odd address */
    std::vector<uint64_t> slots;
    size_t used = 0;

    size_t home(uint64_t pc) const
    {
        return (pc >> 2 ^ pc >> 13) & (slots.size() - 1);
    }

    size_t find(uint64_t pc) const
    {
        size_t at = home(pc);

        while (slots[at] != pc && slots[at] != FREE) {
            at = (at + 1) & (slots.size() - 1);
        }
        return at;
    }

    void grow()
    {
        std::vector<uint64_t> old(slots.size() * 2, FREE);

        old.swap(slots);
        for (uint64_t pc : old) {
            if (pc != FREE) {
                slots[find(pc)] = pc;
            }
        }
    }
};
