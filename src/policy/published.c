/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published test keys by the SHA-256 of their SubjectPublicKeyInfo, each computed from the PEM file
 * named. Only of algorithms that a policy takes: RSA below 3072 bits is refused before this.
 * Must not be relied on to be complete; see countersign-signing.yaml(5), "RULES".
 */
#include "policy/published.h"

#include <string.h>

/* A project publishes the key in its repository under the name given; files with the same key in
 * several projects are listed once. */
static const struct {
	const char *spki_sha256;
	const char *where;
} published[] = {
	/* https://github.com/mcu-tools/mcuboot; TrustedFirmware-M has some of them, too */
	{ "e30466f6b8470c1f29070b17f1e2d3e94d445e3f608087fdc711e4382bb538b6",
	  "mcuboot, root-ec-p256.pem" },
	{ "6bcd1e16d80e5fe13a5307e6f1de8344c7e50e537d9962ce35ef6db5e642fae8",
	  "mcuboot, root-ec-p384.pem" },
	{ "c1907fa4eac7fae3840a78902b6f0710b037e9968e5c6274a12a28790c7d4e3c",
	  "mcuboot, root-ed25519.pem" },
	{ "6754edab1e29affef4a05935adecbeb1a7b8b62397b31e39a61b5bfcaafd63af",
	  "mcuboot, root-ed25519-2.pem" },
	{ "b1d87d60173352b9a4808979790fc699fb4c4f83b49cf1970edd96ff4adc36a6",
	  "mcuboot, root-ed25519-unknown.pem" },
	{ "159d8b7930769d887f3ff0b4e9ec176b82313663f2ef76dc24f5e964da1bc482",
	  "mcuboot, root-rsa-3072.pem" },
	{ "3c23fc4e1d332a0c86e6a8bf6ecf26046d702302e135bf53fc04a009a33a78c5",
	  "mcuboot, enc-ec256-priv.pem" },
	{ "bb868a727f0ef75e890a6a52bccd1d936fb34438afd6f237e8af259865742446",
	  "mcuboot, boot/cypress/keys/cypress-test-ec-p256.pem" },
	{ "e6c097daf1458d0f8b8d43fc4b4b9d4425203484b3afe5570ed074073901bab0",
	  "mcuboot, samples/zephyr/bad-keys/bad-ec-p256.pem" },
	{ "6dc968724fdedb71be7c8ad62540ea148996f96adb5c48e9cc3112c588f26d89",
	  "mcuboot, testplan/mynewt/key_ec256.pem" },
	{ "1c35c9ccb929906e7792eda384825b41be700c50760493eaf163135933e191aa",
	  "mcuboot, testplan/mynewt/key_ec256_2.pem" },
	/* https://github.com/TrustedFirmware-M/trusted-firmware-m */
	{ "82a5b443594853d4bf0fdd89a914a5dc16f867548207d7077e74d80c063efda9",
	  "trusted-firmware-m, bl2/ext/mcuboot/root-EC-P256_1.pem" },
	{ "4ec3fb3193234e2ed4456e84507ba591bbe2456ea38d1cd80287cfdec268ab6f",
	  "trusted-firmware-m, bl2/ext/mcuboot/root-EC-P384_1.pem" },
	{ "0e2aa51f06578eac107065a8577507876aa047ef1dc74f7250a6ff7b590ba11d",
	  "trusted-firmware-m, bl2/ext/mcuboot/root-RSA-3072.pem" },
	{ "ebfe363948e8eff9252314dc84e827f37aca7d3a0bb34140eb4f08b548a4ccbd",
	  "trusted-firmware-m, bl2/ext/mcuboot/root-RSA-3072_1.pem" },
	{ "7b1a17147ca907e16cad79901fef13991ec6206e3d148b657068ad6c4cba4626",
	  "trusted-firmware-m, tfm_initial_attestation_key.pem" },
	{ "3dfc6223395902412e16c0bda059f3ddb0f732f05380d9a4e276f15c8a2c70ad",
	  "trusted-firmware-m, psoc64/security/keys/TFM_S_KEY_PRIV.pem" },
	/* https://github.com/ARM-software/arm-trusted-firmware, plat/arm/board/common */
	{ "2e40bf6ef912bb983171090e1e153d0bfdd1cc694a98eb8ba0b020864e6c0717",
	  "arm-trusted-firmware, rotpk/arm_rotprivk_ecdsa.pem" },
	{ "dcbcebee418114ed0951f0693527feaede4cad51081cd45ee54979d0072ff53b",
	  "arm-trusted-firmware, rotpk/arm_rotprivk_ecdsa_secp384r1.pem" },
	{ "9a0f8acde4fd481c87d30b3041d64c00334d63e29d1786af8abbd6423d6da5f6",
	  "arm-trusted-firmware, rotpk/arm_rotprivk_rsa_3k.pem" },
	{ "e22596c73e8ac825eadaa7ba38231808c06da97075d1ba96a7c2c007ad86b928",
	  "arm-trusted-firmware, rotpk/arm_rotprivk_rsa_4k.pem" },
	{ "a1ec91d8903068e1d0d44209d60f7d950440d2274b2fc1daa3702817924275c5",
	  "arm-trusted-firmware, protpk/arm_protprivk_ecdsa.pem" },
	{ "71d92fd7a802f39848a95fa5765f4d71067b79ce095d67204f449ec1a0c40b36",
	  "arm-trusted-firmware, protpk/arm_protprivk_ecdsa_secp384r1.pem" },
	{ "8c1214bc7d5511680ee910057198689db55bdecb5623a2b310fa9061be37e427",
	  "arm-trusted-firmware, swd_rotpk/arm_swd_rotprivk_ecdsa.pem" },
	{ "fe3ba5e86d13a338fb9bdcc55fd60e0ad938c005562a57510c8004951797e538",
	  "arm-trusted-firmware, swd_rotpk/arm_swd_rotprivk_ecdsa_secp384r1.pem" },
	/* https://github.com/OP-TEE/optee_os */
	{ "cac7bcfaf8674a57e5eaa8ef1a7c9b67af1fd5562a06440d88d5e3c632e88c48",
	  "optee_os, keys/default.pem" },
	/* Android Verified Boot, https://android.googlesource.com/platform/external/avb */
	{ "9841073d16a7abbe21059e026da71976373d8f74fdb91cc46aa0a7d622b925b9",
	  "AVB, test/data/testkey_rsa4096.pem" },
	/* https://android.googlesource.com/platform/build, target/product/security */
	{ "de5b1ddc59331bbdeee26d6467dd4f9fc09719098ba7dcb6a973045781a0e36c",
	  "Android's build, target/product/security/bluetooth.pk8" },
	{ "7bfcc5541e9f18e3738b1d5fa0b8524d44bac99424cfdcc6594d9386d4daaf15",
	  "Android's build, target/product/security/networkstack.pk8" },
	{ "9318ca97d2c148ca94639603b68d0928068158113d23a1cfca30acc4df2cac37",
	  "Android's build, target/product/security/nfc.pk8" },
	/* https://github.com/u-boot/u-boot */
	{ "00acfeb4d70d02eeabb36d01690d2b450f471ad40f7fde5f8247673567ddc0b0",
	  "u-boot, arch/arm/mach-k3/keys/custMpk.pem" },
	{ "24d14d4569d0a6daf1deabecf59f591f73e052e5d01de2e7bbf60660dc479b5e",
	  "u-boot, tools/binman/test/security/key.pem" },
	/* https://chromium.googlesource.com/chromiumos/platform/vboot_reference */
	{ "e3b12604b37a2b043c3602be764357966837d4cd37daacb72b93e970619e7857",
	  "vboot_reference, tests/testkeys/key_rsa4096.pem" },
	{ "df509eeb631c8a9b2604b56431052f0cd6672197e1557546fbbc50bc246ea859",
	  "vboot_reference, tests/testkeys/key_rsa3072_exp3.pem" },
	{ "ea5b087998e7466f1fe326496ec08b5c07d78c1a14e20341c6d5765666a9a673",
	  "vboot_reference, tests/testkeys/datakey.pem" },
	{ "d16ab267f475ce9dd7655a6fb9e9f671c6041e193b8d0566e5b53da97b326ceb",
	  "vboot_reference, tests/devkeys/uefi/crdyshim-v2.priv.pem" },
	{ "e3d8a0644bb2012b9925ecc103549599f15a2249d7b2886399ef517d90a692a8",
	  "vboot_reference, tests/devkeys/uefi/crdyshim.priv.pem" },
	/* https://github.com/Mbed-TLS/mbedtls, tests/data_files */
	{ "26b0f4b5b3b8ef8f54af9ca9cbef655501179e7337f2ac52f2eadcf953635999",
	  "mbedtls, tests/data_files/server5.key" },
	{ "0d47bb32995c4f374228dd401ca46be4fe313ef89960c81b8c6db8b502f3f5c5",
	  "mbedtls, tests/data_files/test-ca2.key" },
};

const char *cs_published_key(const struct cs_sha256 *spki)
{
	char hex[CS_SHA256_HEX];

	cs_sha256_hex(spki, hex);
	for (size_t i = 0; i < sizeof(published) / sizeof(published[0]); i++)
		if (strcmp(published[i].spki_sha256, hex) == 0)
			return published[i].where;
	return NULL;
}
