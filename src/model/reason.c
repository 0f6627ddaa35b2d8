/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words that the API has for reasons. */
#include "model/reason.h"

const char *const reason_names[REASONS] = {
	[REASON_NONE] = "",
	[REASON_IN_SYNC] = "InSync",
	[REASON_NOT_TRIED] = "NotTried",
	[REASON_LOCAL_ADDRESS_MISSING] = "LocalAddressMissing",
	[REASON_UNDERLAY_UNROUTABLE] = "UnderlayUnroutable",
	[REASON_INTERFACE_MISSING] = "InterfaceMissing",
	[REASON_DEPENDENCY_DISABLED] = "DependencyDisabled",
	[REASON_DEPENDENCY_FAILED] = "DependencyFailed",
	[REASON_FOREIGN_OBJECT] = "ForeignObject",
	[REASON_DUPLICATE_ENDPOINTS] = "DuplicateEndpoints",
	[REASON_CONTESTED] = "Contested",
	[REASON_KERNEL_MODULE_MISSING] = "KernelModuleMissing",
	[REASON_PERMISSION_DENIED] = "PermissionDenied",
	[REASON_OUT_OF_MEMORY] = "OutOfMemory",
	[REASON_KERNEL_ERROR] = "KernelError",
	[REASON_DISABLED] = "Disabled",
	[REASON_DELETING] = "Deleting",
};
