/* SPDX-License-Identifier: GPL-2.0-or-later
 * A driver that Humpy adds to UEFI firmware where no flash can be had: it serves the blocks of the
 * store of variables from the guest's memory, and brings each change to the host as a record
 * written to a fw_cfg file (docs/uefi.md). It is a DXE runtime driver: variables can be written by
 * the operating system, too, with the addresses that it chose. In a protected guest it starts what
 * window-driver.c has, and its records go through the window.
 *
 * Freestanding arm64 code in one position-independent section, which nothing relocates: no writable
 * globals, no tables of addresses. Everything it keeps is in its StoreDriver.
 */
#include "store-params.h"
#include "uefi.h"
#include "window-driver.h"

enum {
    /* of EfiFvb (PI 1.7 volume 3, 3.4): can be read and written, is, sticky, mapped, erased to 1 */
    ATTRIBUTES = 0x0e36,

    FW_CFG_DMA = 16,
    DMA_ERROR = 0x01,
    DMA_SELECT = 0x08,
    DMA_WRITE = 0x10,

    PAGE_64K = 0x10000, /* what attributes of run time memory may differ by on arm64 */
};

/* docs/specs/fw_cfg.txt; big endian. */
typedef struct {
    uint32_t control, length;
    uint64_t address;
} DmaCommand;

/* What the device is given, in memory that it reaches. */
typedef struct {
    volatile DmaCommand command;
    StoreRecord record;
    uint8_t data[STORE_CHUNK];
} Mail;
_Static_assert(sizeof(Mail) <= WINDOW_MAIL, "");

typedef struct {
    EfiFvb fvb; /* first: what callers hand back */
    EfiRuntimeServices *runtime;
    StoreParams params;
    uint8_t *blocks;        /* the store, by the addresses of the day */
    volatile uint32_t *dma; /* fw_cfg's register, likewise */
    Mail *mail;             /* likewise */
    uint64_t mail_address;  /* the physical one, which stays */
} StoreDriver;

/* What Humpy fills in; it lies at the very start of the code. */
extern const StoreParams store_params __attribute__((visibility("hidden")));

static uint64_t number_of_blocks(const StoreDriver *s)
{
    return s->params.store_size / s->params.block_size;
}

/* ---- the host ---- */

/* Sends the record with len bytes of data. FALSE: the host could not keep what has changed. */
static bool send(StoreDriver *s, uint32_t len)
{
    Mail *mail = s->mail;

    mail->command.control =
        __builtin_bswap32((uint32_t)s->params.fw_cfg_key << 16 | DMA_SELECT | DMA_WRITE);
    mail->command.length = __builtin_bswap32(sizeof(mail->record) + len);
    mail->command.address = __builtin_bswap64(s->mail_address + offsetof(Mail, record));
    __asm__ volatile("dsb sy" ::: "memory");
    s->dma[0] = __builtin_bswap32((uint32_t)(s->mail_address >> 32));
    s->dma[1] = __builtin_bswap32((uint32_t)s->mail_address);
    /* The host has done it when the register's write is done; a device might take its time. */
    while (__builtin_bswap32(mail->command.control) & ~(uint32_t)DMA_ERROR) {
    }
    return !mail->command.control;
}

static bool tell_host(StoreDriver *s, uint64_t offset, uint64_t len)
{
    for (uint64_t done = 0; done < len;) {
        uint64_t part = len - done < STORE_CHUNK ? len - done : STORE_CHUNK;

        s->mail->record = (StoreRecord){ .offset = offset + done, .len = part };
        memcpy(s->mail->data, s->blocks + offset + done, part);
        if (!send(s, part)) {
            return false;
        }
        done += part;
    }
    return true;
}

static bool tell_host_erased(StoreDriver *s, uint64_t offset, uint64_t len)
{
    s->mail->record = (StoreRecord){ .offset = offset, .len = len, .erased = 1 };
    return send(s, 0);
}

/* ---- blocks ---- */

static EfiStatus get_attributes(const EfiFvb *fvb, uint32_t *attributes)
{
    *attributes = ATTRIBUTES;
    return EFI_SUCCESS;
}

static EfiStatus set_attributes(const EfiFvb *fvb, uint32_t *attributes)
{
    return EFI_UNSUPPORTED;
}

static EfiStatus get_physical_address(const EfiFvb *fvb, uint64_t *address)
{
    *address = ((const StoreDriver *)fvb)->params.store_base;
    return EFI_SUCCESS;
}

static EfiStatus get_block_size(const EfiFvb *fvb, uint64_t lba, uint64_t *size, uint64_t *n_blocks)
{
    const StoreDriver *s = (const StoreDriver *)fvb;

    if (lba >= number_of_blocks(s)) {
        return EFI_INVALID_PARAMETER;
    }
    *size = s->params.block_size;
    *n_blocks = number_of_blocks(s) - lba;
    return EFI_SUCCESS;
}

/* Where offset in block lba is; *len becomes what the block has of it. */
static EfiStatus find(const StoreDriver *s, uint64_t lba, uint64_t offset, uint64_t *len,
                      uint64_t *at)
{
    uint64_t block = s->params.block_size;

    if (lba >= number_of_blocks(s) || offset > block) {
        return EFI_INVALID_PARAMETER;
    }
    *at = lba * block + offset;
    if (*len <= block - offset) {
        return EFI_SUCCESS;
    }
    *len = block - offset;
    return EFI_BAD_BUFFER_SIZE;
}

/* The compiler calls it, too. */
void *memcpy(void *to, const void *from, size_t len)
{
    typedef uint64_t __attribute__((may_alias)) Word;
    size_t i = 0;

    if (((uint64_t)to | (uint64_t)from) % sizeof(Word) == 0) {
        for (; len - i >= sizeof(Word); i += sizeof(Word)) {
            *(Word *)((uint8_t *)to + i) = *(const Word *)((const uint8_t *)from + i);
        }
    }
    for (; i < len; i++) {
        ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
    }
    return to;
}

static EfiStatus read_block(const EfiFvb *fvb, uint64_t lba, uint64_t offset, uint64_t *len,
                            void *buf)
{
    const StoreDriver *s = (const StoreDriver *)fvb;
    uint64_t at;
    EfiStatus status = find(s, lba, offset, len, &at);

    if (status != EFI_INVALID_PARAMETER) {
        memcpy(buf, s->blocks + at, *len);
    }
    return status;
}

static EfiStatus write_block(const EfiFvb *fvb, uint64_t lba, uint64_t offset, uint64_t *len,
                             const void *buf)
{
    StoreDriver *s = (StoreDriver *)fvb;
    uint64_t at;
    EfiStatus status = find(s, lba, offset, len, &at);

    if (status == EFI_INVALID_PARAMETER) {
        return status;
    }
    memcpy(s->blocks + at, buf, *len);
    return tell_host(s, at, *len) ? status : EFI_DEVICE_ERROR;
}

static bool erase(StoreDriver *s, uint64_t lba, uint64_t n)
{
    uint64_t at = lba * s->params.block_size, len = n * s->params.block_size;

    for (uint64_t i = 0; i < len; i++) {
        s->blocks[at + i] = 0xff;
    }
    return tell_host_erased(s, at, len);
}

/* Pairs of first block and number of blocks, until a block of all ones. All are looked at first. */
static EfiStatus erase_blocks(const EfiFvb *fvb, ...)
{
    StoreDriver *s = (StoreDriver *)fvb;
    __builtin_va_list args;
    EfiStatus status = EFI_SUCCESS;

    for (unsigned doing = 0; doing < 2 && status == EFI_SUCCESS; doing++) {
        __builtin_va_start(args, fvb);
        for (;;) {
            uint64_t lba = __builtin_va_arg(args, uint64_t), n;

            if (lba == UINT64_MAX) {
                break;
            }
            n = __builtin_va_arg(args, uint64_t);
            if (n == 0 || lba >= number_of_blocks(s) || n > number_of_blocks(s) - lba) {
                status = EFI_INVALID_PARAMETER;
                break;
            }
            if (doing && !erase(s, lba, n)) {
                status = EFI_DEVICE_ERROR;
                break;
            }
        }
        __builtin_va_end(args);
    }
    return status;
}

/* ---- start ---- */

/* The protocol's own pointers are converted by who uses them then: EDK2's variable driver. */
static void addresses_change(void *event, void *opaque)
{
    StoreDriver *s = opaque;

    s->runtime->convert_pointer(0, (void **)&s->blocks);
    s->runtime->convert_pointer(0, (void **)&s->dma);
    s->runtime->convert_pointer(0, (void **)&s->mail);
}

static EfiDxeServices *dxe_services(const EfiSystemTable *system)
{
    const EfiGuid guid = {
        0x05ad34ba, 0x6f02, 0x4214, { 0x95, 0x2e, 0x4d, 0xa0, 0x39, 0x8e, 0x2b, 0xb9 }
    };
    const uint64_t *want = (const uint64_t *)&guid;

    for (uint64_t i = 0; i < system->n_tables; i++) {
        const uint64_t *is = (const uint64_t *)&system->tables[i].guid;

        if (is[0] == want[0] && is[1] == want[1]) {
            return system->tables[i].table;
        }
    }
    return NULL;
}

/* Makes the store memory and the register accessible, now and for the operating system. */
static EfiStatus map(const EfiDxeServices *dxe, const StoreParams *p)
{
    const uint64_t memory = EFI_MEMORY_WB | EFI_MEMORY_RUNTIME;
    const uint64_t device = EFI_MEMORY_UC | EFI_MEMORY_RUNTIME;
    const uint64_t page = p->fw_cfg_base & ~(uint64_t)(PAGE_64K - 1);
    EfiStatus status =
        dxe->add_memory_space(EFI_GCD_RESERVED, p->store_base, p->store_size, memory);

    if (status == EFI_SUCCESS) {
        status = dxe->set_memory_space_attributes(p->store_base, p->store_size, memory);
    }
    if (status == EFI_SUCCESS) {
        /* Somebody else may have added it. */
        dxe->add_memory_space(EFI_GCD_MMIO, page, PAGE_64K, device);
        status = dxe->set_memory_space_attributes(page, PAGE_64K, device);
    }
    return status;
}

static EfiStatus publish(StoreDriver *s, EfiBootServices *boot)
{
    const EfiGuid fvb = {
        0x8f644fa9, 0xe850, 0x4db1, { 0x9c, 0xe2, 0x0b, 0x44, 0x69, 0x8e, 0x8d, 0xa4 }
    };
    const EfiGuid formatted = { /* EDK2: what its drivers of variables wait for */
                                0xd1a86e3f,
                                0x0707,
                                0x4c35,
                                { 0x83, 0xcd, 0xdc, 0x2c, 0x29, 0xc8, 0x91, 0xa3 }
    };
    EfiHandle handle = NULL;
    void *event;
    EfiStatus status;

    status =
        boot->create_event(EFI_EVENT_ADDRESS_CHANGE, EFI_TPL_NOTIFY, addresses_change, s, &event);
    if (status == EFI_SUCCESS) {
        status = boot->install_protocol(&handle, &fvb, 0, &s->fvb);
    }
    if (status == EFI_SUCCESS) {
        status = boot->install_protocol(&handle, &formatted, 0, NULL);
    }
    return status;
}

static EfiStatus start_store(const EfiSystemTable *system, const StoreParams *p, uint64_t mail)
{
    StoreDriver *s;
    EfiStatus status =
        system->boot->allocate_pool(EFI_RUNTIME_SERVICES_DATA, sizeof(*s), (void **)&s);

    if (status != EFI_SUCCESS) {
        return status;
    }
    s->fvb.get_attributes = get_attributes;
    s->fvb.set_attributes = set_attributes;
    s->fvb.get_physical_address = get_physical_address;
    s->fvb.get_block_size = get_block_size;
    s->fvb.read = read_block;
    s->fvb.write = write_block;
    s->fvb.erase_blocks = erase_blocks;
    s->fvb.parent = NULL;
    s->runtime = system->runtime;
    s->params = *p;
    s->blocks = (uint8_t *)p->store_base;
    s->dma = (volatile uint32_t *)(p->fw_cfg_base + FW_CFG_DMA);
    s->mail = (Mail *)mail;
    s->mail_address = mail;
    return publish(s, system->boot);
}

EfiStatus store_main(EfiHandle image, EfiSystemTable *system)
{
    const StoreParams *p = &store_params;
    const EfiDxeServices *dxe = dxe_services(system);
    EfiStatus status = dxe == NULL ? EFI_NOT_FOUND : map(dxe, p);
    uint64_t mail = p->window_base;

    if (status == EFI_SUCCESS && p->window_size != 0) {
        status = window_add(dxe, p->window_base, p->window_size);
    }
    if (status == EFI_SUCCESS && p->window_only) {
        status = window_start(system->boot, p->window_base, p->window_size);
    } else if (status == EFI_SUCCESS) {
        status = system->boot->allocate_pages(EFI_ALLOCATE_ANY, EFI_RUNTIME_SERVICES_DATA,
                                              WINDOW_MAIL / EFI_PAGE, &mail);
    }
    return status == EFI_SUCCESS ? start_store(system, p, mail) : status;
}
